/** A process that answers requests, one line of methods each; and the clock that it is read by. */
import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";

interface Request {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}
interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly code: string | null };
}

type Methods = Readonly<Record<string, (argument: never) => unknown>>;

/** Starting 100 nodes on a busy machine takes some seconds; a process that is silent for longer is lost. */
const ANSWER_DEADLINE_MS = 120_000;
const STOP_DEADLINE_MS = 8_000;
/** Rounds of comparing clocks; the fastest counts. */
const CLOCK_ROUNDS = 40;

/** Answers the parent until it goes away. */
export function serve(methods: Methods): void {
  process.on("message", async ({ id, method, argument }: Request) => {
    let answer: Answer;
    try {
      answer = { id, result: await methods[method]?.(argument as never) };
    } catch (error) {
      answer = { id, error: { message: errorMessage(error), code: error instanceof CodedError ? error.code : null } };
    }
    process.send?.(answer, undefined, undefined, () => {});
  });
  // A process whose parent was killed must not run on; a Ctrl-C is the parent's to act on.
  process.on("disconnect", () => process.exit());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
}

/** What a worker's monotonic clock shows beside ours. */
export interface ClockReading {
  /** Theirs minus ours. */
  readonly offsetMs: number;
  /** The offset is right within this. */
  readonly errorMs: number;
}

export class WorkerProcess<M extends Methods> {
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #lastId = 0;
  #exited: CodedError | null = null;
  #stopping = false;

  /**
   * @param name the module's name in this folder, which calls `serve` with the methods `M`.
   * @param enter what stands before the program, to run it elsewhere; it must become the program, not start it.
   */
  constructor(name: string, clock: Clock, enter: readonly string[] = []) {
    this.#clock = clock;
    const file = new URL(`${name}${extname(import.meta.url)}`, import.meta.url);
    const [execPath = process.execPath, ...execArgv] = enter.length === 0 ? [] : [...enter, process.execPath];
    this.#child = fork(file, { execPath, execArgv, stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#child.on("message", (answer: Answer) => this.#onAnswer(answer));
    this.#child.on("error", (error) => this.#onExit(error.message));
    this.#child.on("exit", (code, signal) => this.#onExit(signal ?? `exit code ${code}`));
  }

  /**
   * Rejects with a `CodedError`: the worker's own, `WORKER_LOST` or `WORKER_FAILED`.
   * @param workMs what the method takes by itself.
   */
  call<K extends keyof M & string>(
    method: K,
    argument: Parameters<M[K]>[0],
    workMs = 0,
  ): Promise<Awaited<ReturnType<M[K]>>> {
    if (this.#exited !== null) return Promise.reject(this.#exited);
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(workMs + ANSWER_DEADLINE_MS, () => {
        this.#waiting.delete(id);
        reject(new CodedError("WORKER_LOST", `A process did not answer "${method}" in ${ANSWER_DEADLINE_MS / 1000} s`));
      });
      this.#waiting.set(id, {
        resolve: (value) => {
          cancel();
          resolve(value as Awaited<ReturnType<M[K]>>);
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      });
      this.#child.send({ id, method, argument } satisfies Request, (error) => {
        if (error !== null) this.#onExit(error.message);
      });
    });
  }

  /** Asks for the time as often as it takes; the answer that was fastest bounds the error by half its round trip. */
  async readClock(this: WorkerProcess<M & { now(argument: null): number }>): Promise<ClockReading> {
    let best: ClockReading = { offsetMs: 0, errorMs: Number.POSITIVE_INFINITY };
    for (let round = 0; round < CLOCK_ROUNDS; round++) {
      const askedMs = this.#clock.monotonicMs();
      const theirsMs = (await this.call("now", null as never)) as number;
      const answeredMs = this.#clock.monotonicMs();
      const errorMs = (answeredMs - askedMs) / 2;
      if (errorMs < best.errorMs) best = { offsetMs: theirsMs - (askedMs + answeredMs) / 2, errorMs };
    }
    return best;
  }

  /** Ends it, after what it has answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#exited !== null) return;
    const exited = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    const cancel = this.#clock.after(STOP_DEADLINE_MS, () => this.#child.kill("SIGKILL"));
    this.#child.disconnect();
    await exited;
    cancel();
  }

  #onAnswer({ id, result, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new CodedError(error.code ?? "WORKER_FAILED", error.message));
  }

  #onExit(description: string): void {
    this.#exited ??= new CodedError("WORKER_LOST", `A process of the network ended (${description})`);
    if (this.#stopping) return;
    for (const { reject } of this.#waiting.values()) reject(this.#exited);
    this.#waiting.clear();
  }
}
