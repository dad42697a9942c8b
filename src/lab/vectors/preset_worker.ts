import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "../../base/clock.ts";
import { type CaseOutcome, failed } from "./outcome.ts";
import type { CaseId } from "./tree.ts";
import type { WorkerAnswer, WorkerRequest } from "./worker.ts";

/** A case that takes longer is ended and has failed; the slowest official ones take a few seconds. */
const CASE_DEADLINE_MS = 120_000;

/** `.ts` in a clone, `.js` in the built package. */
const WORKER_FILE = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));

/** One process with one preset that runs one case at a time, and is started again after a crash. */
export class PresetWorker {
  readonly #preset: string;
  readonly #clock: Clock;
  #child: ChildProcess | null = null;

  constructor(preset: string, clock: Clock) {
    this.#preset = preset;
    this.#clock = clock;
  }

  /** Null when no handler is known for the case. Never rejects; call it again only after it resolved. */
  run(root: string, id: CaseId): Promise<CaseOutcome | null> {
    this.#child ??= this.#start();
    const child = this.#child;
    return new Promise((resolve) => {
      const end = (outcome: CaseOutcome | null) => {
        cancelDeadline();
        child.off("message", onMessage).off("exit", onExit).off("error", onError);
        resolve(outcome);
      };
      const giveUp = (reason: string) => {
        this.stop();
        end(failed(reason));
      };
      const onMessage = (answer: WorkerAnswer) => end(answer.outcome);
      const onExit = (code: number | null, signal: string | null) =>
        giveUp(`its process ended (${signal ?? `exit code ${code}`})`);
      const onError = (error: Error) => giveUp(`its process cannot be used: ${error.message}`);
      const cancelDeadline = this.#clock.after(CASE_DEADLINE_MS, () =>
        giveUp(`no result within ${CASE_DEADLINE_MS / 1000} s`),
      );
      child.on("message", onMessage).on("exit", onExit).on("error", onError);
      child.send({ root, id } satisfies WorkerRequest, (error) => error && onError(error));
    });
  }

  stop(): void {
    this.#child?.kill("SIGKILL");
    this.#child = null;
  }

  #start(): ChildProcess {
    return fork(WORKER_FILE, {
      env: { ...process.env, LODESTAR_PRESET: this.#preset },
      execArgv: [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
  }
}
