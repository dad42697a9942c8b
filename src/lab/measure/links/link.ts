/** One link: a TCP port that forwards to a node, and lets what crosses it take its time. */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { CancelTimer, Clock } from "../../../base/clock.ts";
import type { Random } from "../../../base/random.ts";
import type { LinkShape } from "./model.ts";

/** Of TCP over Ethernet: what is lost is lost in such pieces. */
const SEGMENT_BYTES = 1448;
/** The least that TCP waits before it sends a lone segment again (RFC 6298 as Linux has it). */
const MIN_RETRANSMISSION_MS = 200;
/** Under way in one direction; beyond it the sender is not read, as with a full TCP window. 400 Mbit/s at 80 ms. */
const MAX_QUEUE_BYTES = 4 * 1024 * 1024;
/** In a row, of one segment: TCP would have given up by then. */
const MAX_RETRANSMISSIONS = 6;

/** A node's upload, shared by its links. */
export class Uplink {
  readonly #bytesPerMs: number;
  #freeMs = 0;

  constructor(bytesPerMs: number) {
    this.#bytesPerMs = bytesPerMs;
  }

  /** When the last of the bytes has left. */
  leave(sizeBytes: number, nowMs: number): number {
    this.#freeMs = Math.max(this.#freeMs, nowMs) + sizeBytes / this.#bytesPerMs;
    return this.#freeMs;
  }
}

export interface LinkMeter {
  chunks: number;
  retransmissions: number;
  late(ms: number): void;
}

export interface LinkDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: LinkMeter;
}

interface Chunk {
  readonly data: Buffer;
  readonly dueMs: number;
}

/** From one socket to another, in order. */
class Direction {
  readonly #shape: LinkShape;
  readonly #uplink: Uplink | null;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #deps: LinkDependencies;
  readonly #queue: Chunk[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #ended = false;
  #cancel: CancelTimer | null = null;

  constructor(shape: LinkShape, uplink: Uplink | null, from: Socket, to: Socket, deps: LinkDependencies) {
    this.#shape = shape;
    this.#uplink = uplink;
    this.#from = from;
    this.#to = to;
    this.#deps = deps;
    from.on("data", (data: Buffer) => this.#take(data));
    from.on("end", () => {
      this.#ended = true;
      this.#forward();
    });
    to.on("drain", () => this.#forward());
  }

  stop(): void {
    this.#cancel?.();
    this.#queue.length = 0;
  }

  #take(data: Buffer): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const leftMs = this.#uplink?.leave(data.length, nowMs) ?? nowMs;
    // TCP hands on in order: what is behind a late chunk waits for it.
    this.#lastDueMs = Math.max(this.#lastDueMs, leftMs + this.#delayMs() + this.#lossMs(data.length));
    this.#queue.push({ data, dueMs: this.#lastDueMs });
    this.#queuedBytes += data.length;
    if (this.#queuedBytes > MAX_QUEUE_BYTES) this.#from.pause();
    this.#schedule();
  }

  #delayMs(): number {
    const { delayMs, deviationMs } = this.#shape;
    return deviationMs === 0 ? delayMs : Math.max(0, delayMs + deviationMs * gaussian(this.#deps.random));
  }

  /** A lost segment is sent again after a timeout, which doubles: gossip's lone messages have nothing behind them. */
  #lossMs(sizeBytes: number): number {
    const { loss, delayMs } = this.#shape;
    if (loss === 0) return 0;
    const timeoutMs = Math.max(MIN_RETRANSMISSION_MS, 4 * delayMs);
    let worstMs = 0;
    for (let offset = 0; offset < sizeBytes; offset += SEGMENT_BYTES) {
      let waitMs = 0;
      for (let tries = 0; tries < MAX_RETRANSMISSIONS && this.#deps.random.float() < loss; tries++) {
        waitMs += timeoutMs * 2 ** tries;
        this.#deps.meter.retransmissions++;
      }
      worstMs = Math.max(worstMs, waitMs);
    }
    return worstMs;
  }

  #schedule(): void {
    const [next] = this.#queue;
    if (this.#cancel !== null || next === undefined || this.#to.writableNeedDrain) return;
    this.#cancel = this.#deps.clock.after(next.dueMs - this.#deps.clock.monotonicMs(), () => {
      this.#cancel = null;
      this.#forward();
    });
  }

  #forward(): void {
    const { clock, meter } = this.#deps;
    const nowMs = clock.monotonicMs();
    for (let next = this.#queue[0]; next !== undefined && next.dueMs <= nowMs; next = this.#queue[0]) {
      if (this.#to.writableNeedDrain) break;
      this.#queue.shift();
      this.#queuedBytes -= next.data.length;
      meter.chunks++;
      meter.late(nowMs - next.dueMs);
      this.#to.write(next.data);
    }
    if (this.#queuedBytes <= MAX_QUEUE_BYTES / 2 && this.#from.isPaused()) this.#from.resume();
    if (this.#ended && this.#queue.length === 0) this.#to.end();
    else this.#schedule();
  }
}

function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
}

export interface LinkOptions {
  readonly shape: LinkShape;
  /** Of the node that dials, and of the one that is dialed. */
  readonly uplinks: readonly [Uplink | null, Uplink | null];
}

export class ShapedLink {
  readonly #options: LinkOptions;
  readonly #deps: LinkDependencies;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target = { host: "127.0.0.1", port: 0 };

  constructor(options: LinkOptions, deps: LinkDependencies) {
    this.#options = options;
    this.#deps = deps;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#onDialed(socket));
  }

  /** Resolves to the port that the dialing node must dial. */
  listen(host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, host, () => resolve((this.#server.address() as { port: number }).port));
    });
  }

  /** Where the dialed node listens; it changes when that node comes back. */
  set target(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  #onDialed(near: Socket): void {
    const { shape, uplinks } = this.#options;
    const far = connect({ ...this.#target, noDelay: true, allowHalfOpen: true });
    const directions = [
      new Direction(shape, uplinks[0], near, far, this.#deps),
      new Direction(shape, uplinks[1], far, near, this.#deps),
    ];
    const cut = () => {
      for (const direction of directions) direction.stop();
      for (const socket of [near, far]) socket.resetAndDestroy();
    };
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      // Where one end breaks off, what is under way is lost, as on a line; an orderly end goes its way by itself.
      socket.on("error", cut);
      socket.on("close", () => this.#sockets.delete(socket));
    }
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
