/** The honest peers beside an attack; see `witness_worker.ts`, which does the work. */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { type Clock, sleep } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import type { Phase, WitnessAnswer, WitnessOptions, WitnessReport, WitnessRequest } from "./witness_worker.ts";

/** `.ts` in a clone, `.js` in the built package. */
const WORKER_FILE = new URL(`./witness_worker${extname(import.meta.url)}`, import.meta.url);
const START_TIMEOUT_MS = 30_000;
/** Beyond what it gives to stragglers. */
const REPORT_TIMEOUT_MS = 10_000;

/** Attends one attack after another. */
export class Witness {
  readonly #clock: Clock;
  #worker: Worker | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when connected, and in the mesh as far as the target allows. Throws a `CodedError` `WITNESS_FAILED`. */
  async attend(options: WitnessOptions): Promise<void> {
    this.#worker ??= new Worker(WORKER_FILE, { execArgv: [] });
    this.#ask({ kind: "attend", options });
    await this.#answer("ready", START_TIMEOUT_MS);
  }

  /** From now on, publishes at this rate and counts it to the phase. */
  begin(phase: Phase, perSecond: number): void {
    this.#ask({ kind: "phase", phase, perSecond });
  }

  /** Waits for what is on its way, leaves the target, and tells. Throws a `CodedError` `WITNESS_FAILED`. */
  async finish(): Promise<WitnessReport> {
    this.#ask({ kind: "finish" });
    const { report } = await this.#answer("report", REPORT_TIMEOUT_MS);
    return report;
  }

  /** Forgets the attack that it attends, if any; it can attend another. */
  async stop(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = null;
  }

  #ask(request: WitnessRequest): void {
    this.#worker?.postMessage(request);
  }

  async #answer<K extends WitnessAnswer["kind"]>(
    kind: K,
    timeoutMs: number,
  ): Promise<Extract<WitnessAnswer, { kind: K }>> {
    const done = new AbortController();
    try {
      return await Promise.race([
        new Promise<Extract<WitnessAnswer, { kind: K }>>((resolve, reject) => {
          const fail = (reason: string) =>
            reject(new CodedError("WITNESS_FAILED", `The honest peers cannot do their part: ${reason}`));
          const signal = done.signal;
          const onMessage = (answer: WitnessAnswer) => {
            if (answer.kind === "failed") fail(answer.reason);
            else if (answer.kind === kind) resolve(answer as Extract<WitnessAnswer, { kind: K }>);
          };
          const onError = (error: Error) => fail(error.message);
          this.#worker?.on("message", onMessage).on("error", onError);
          signal.addEventListener("abort", () => this.#worker?.off("message", onMessage).off("error", onError));
        }),
        sleep(this.#clock, timeoutMs, done.signal).then(() => {
          throw new CodedError("WITNESS_FAILED", `The honest peers gave no sign within ${timeoutMs / 1000} s`);
        }),
      ]);
    } finally {
      done.abort();
    }
  }
}
