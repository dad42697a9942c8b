/** A TCP proxy that can be cut: connections are refused and dropped meanwhile. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export class CuttableProxy {
  readonly #targetPort: number;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #isCut = false;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((socket) => {
      if (this.#isCut) {
        socket.destroy();
        return;
      }
      const target = connect(this.#targetPort, "127.0.0.1");
      for (const each of [socket, target]) {
        this.#sockets.add(each);
        each.on("error", () => {});
        each.on("close", () => this.#sockets.delete(each));
      }
      socket.pipe(target).pipe(socket);
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  join(): void {
    this.#isCut = false;
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }
}
