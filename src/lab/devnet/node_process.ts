/** One `msgbus node` as a child process of the devnet: its events as they come, restarts, a sure end. */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { createInterface } from "node:readline";
import type { CancelTimer, Clock } from "../../base/clock.ts";

import type { NodeEvent } from "../../node_events.ts";

/** A node that dies more often than this is left dead: what kills it will not go away by itself. */
const MAX_RESTARTS = 5;
const RESTART_DELAY_MS = 1_000;
/** A node promises to leave within 5 s; after this it is killed. */
const STOP_DEADLINE_MS = 7_000;

export interface NodeProcessOptions {
  readonly name: string;
  /** Arguments of the `msgbus` binary: `node --network …`. */
  readonly args: string[];
  /** Receives the node's log lines (its stderr). */
  readonly logFile: string;
  readonly entry: string;
}

export interface NodeProcessListener {
  onEvent(event: NodeEvent & { time: number }): void;
  onExit(description: string, willRestart: boolean): void;
}

export class NodeProcess {
  readonly #options: NodeProcessOptions;
  readonly #listener: NodeProcessListener;
  readonly #clock: Clock;
  readonly #log: WriteStream;
  #child: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #restarts = 0;
  #cancelRestart: CancelTimer = () => {};
  #stopping = false;

  constructor(options: NodeProcessOptions, listener: NodeProcessListener, clock: Clock) {
    this.#options = options;
    this.#listener = listener;
    this.#clock = clock;
    this.#log = createWriteStream(options.logFile, { flags: "a" });
    // A full disk must not end the devnet: the log is a convenience.
    this.#log.on("error", () => {});
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  start(): void {
    // The child ends itself when its stdin closes, so that it never outlives a devnet that was killed with -9.
    const child = spawn(process.execPath, [this.#options.entry, ...this.#options.args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, MSGBUS_LEASH: "stdin" },
      // Its own process group: a Ctrl-C in the terminal reaches the devnet alone, which then ends its nodes in order.
      detached: true,
    });
    this.#child = child;
    child.stdin?.on("error", () => {});
    child.stderr?.pipe(this.#log, { end: false });
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const event = parseEvent(line);
        if (event !== null) this.#listener.onEvent(event);
      });
    }
    this.#exited = new Promise((resolve) => {
      child.once("error", (error) => {
        this.#onExit(error.message);
        resolve();
      });
      child.once("exit", (code, signal) => {
        this.#onExit(signal === null ? `exit code ${code}` : signal);
        resolve();
      });
    });
  }

  #onExit(description: string): void {
    if (this.#child === null) return;
    this.#child = null;
    if (this.#stopping) return;
    const willRestart = this.#restarts < MAX_RESTARTS;
    this.#listener.onExit(description, willRestart);
    if (!willRestart) return;
    this.#restarts++;
    this.#cancelRestart = this.#clock.after(RESTART_DELAY_MS, () => this.start());
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#cancelRestart();
    const child = this.#child;
    if (child !== null) {
      const cancelKill = this.#clock.after(STOP_DEADLINE_MS, () => child.kill("SIGKILL"));
      child.kill("SIGTERM");
      await this.#exited;
      cancelKill();
    }
    this.#log.end();
  }
}

/** Lines that are no events of ours are dropped: a node's stdout may be shared with a library's warning. */
function parseEvent(line: string): (NodeEvent & { time: number }) | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || !("event" in value) || !("time" in value)) return null;
    return value as NodeEvent & { time: number };
  } catch {
    return null;
  }
}
