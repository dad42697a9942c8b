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

export class Witness {
  readonly #worker: Worker;
  readonly #clock: Clock;

  private constructor(worker: Worker, clock: Clock) {
    this.#worker = worker;
    this.#clock = clock;
  }

  /** Connected, and in the mesh as far as the target allows. Throws a `CodedError` `WITNESS_FAILED`. */
  static async start(options: WitnessOptions, clock: Clock): Promise<Witness> {
    const witness = new Witness(new Worker(WORKER_FILE, { workerData: options, execArgv: [] }), clock);
    try {
      await witness.#answer("ready", START_TIMEOUT_MS);
      return witness;
    } catch (error) {
      await witness.stop();
      throw error;
    }
  }

  /** From now on, publishes at this rate and counts it to the phase. */
  begin(phase: Phase, perSecond: number): void {
    this.#worker.postMessage({ kind: "phase", phase, perSecond } satisfies WitnessRequest);
  }

  /** Waits for what is on its way, leaves the target, and tells. Throws a `CodedError` `WITNESS_FAILED`. */
  async finish(): Promise<WitnessReport> {
    this.#worker.postMessage({ kind: "finish" } satisfies WitnessRequest);
    const { report } = await this.#answer("report", REPORT_TIMEOUT_MS);
    return report;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
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
          this.#worker.on("message", onMessage).on("error", onError);
          signal.addEventListener("abort", () => this.#worker.off("message", onMessage).off("error", onError));
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
