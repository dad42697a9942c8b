import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

const CHANNELS = ["net.client.socket", "net.server.socket"] as const;

/** Counts the bytes of all TCP sockets of this process, from its construction on. */
export class SocketMeter {
  /** Open ones; bounded by the file descriptors of the process. */
  readonly #sockets = new Set<Socket>();
  #closedIn = 0;
  #closedOut = 0;
  readonly #onSocket = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#closedIn += socket.bytesRead;
      this.#closedOut += socket.bytesWritten;
    });
  };

  constructor() {
    for (const channel of CHANNELS) subscribe(channel, this.#onSocket);
  }

  read(): { bytesIn: number; bytesOut: number } {
    let [bytesIn, bytesOut] = [this.#closedIn, this.#closedOut];
    for (const { bytesRead, bytesWritten } of this.#sockets) {
      bytesIn += bytesRead;
      bytesOut += bytesWritten;
    }
    return { bytesIn, bytesOut };
  }

  stop(): void {
    for (const channel of CHANNELS) unsubscribe(channel, this.#onSocket);
  }
}
