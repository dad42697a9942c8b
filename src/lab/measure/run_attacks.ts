/** A run's attacks on one of its nodes, from a process of their own. */
import type { CancelTimer, Clock } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { AttackMethods, AttackSetup } from "./attack_worker.ts";
import type { MeasuredAttack } from "./attacks.ts";
import type { Place } from "./netns.ts";
import type { AttackOutcome, TraceEvent } from "./trace.ts";
import type { TraceClock } from "./trace_clock.ts";
import { WorkerProcess } from "./worker_process.ts";

const NOTHING_SENT = { identities: 0, rpcs: 0, messages: 0, bytes: 0, hungUp: 0, faults: [] };

export interface AttackTarget {
  readonly node: number;
  /** Of the target, and then of all other nodes; as they are when an attack begins. */
  addresses(): readonly string[];
}

export class RunAttacks {
  readonly #worker: WorkerProcess<AttackMethods>;
  readonly #clock: Clock;
  readonly #timers: CancelTimer[] = [];
  readonly #running: Promise<void>[] = [];

  constructor(hub: Place, clock: Clock) {
    this.#worker = new WorkerProcess<AttackMethods>("attack_worker", clock, hub.enter);
    this.#clock = clock;
  }

  async setup(setup: AttackSetup): Promise<void> {
    await this.#worker.call("setup", setup);
  }

  /**
   * @param firstMs when the first counted message is published, by the trace's clock.
   * @param note takes the events of each attack.
   */
  schedule(
    attacks: readonly MeasuredAttack[],
    firstMs: number,
    target: AttackTarget,
    now: TraceClock,
    note: (event: TraceEvent) => void,
  ): void {
    // Once for all: those that begin together begin in their order.
    const nowMs = now.nowMs();
    for (const [index, { name, fromMs, toMs }] of attacks.entries()) {
      const attack = async () => {
        note({ t: now.nowUs(), e: "attack", n: target.node, name });
        const durationMs = toMs - fromMs;
        const outcome = await this.#worker
          .call("attack", { index, name, addresses: target.addresses(), durationMs }, durationMs)
          .catch((error): AttackOutcome => ({ ...NOTHING_SENT, skipped: errorMessage(error) }));
        note({ t: now.nowUs(), e: "attacked", n: target.node, name, ...outcome });
      };
      this.#timers.push(this.#clock.after(firstMs + fromMs - nowMs, () => this.#running.push(attack())));
    }
  }

  /** None begins any more. */
  cancel(): void {
    for (const cancel of this.#timers) cancel();
  }

  /** Those under way end, and have told their outcomes when this resolves. */
  async end(): Promise<void> {
    await this.#worker.call("end", null);
    await Promise.all(this.#running);
  }

  /** Rejects where their process did not end. */
  async stop(): Promise<void> {
    await this.#worker.stop();
  }
}
