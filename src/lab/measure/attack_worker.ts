/** The process that attacks a node of a run: what it costs is not the network's. */
import { systemClock } from "../../base/clock.ts";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { ATTACK_SHARE, Attackers } from "../fuzz/attackers.ts";
import { selectAttacks } from "../fuzz/catalogue.ts";
import { type Fixture, makeOwnNetwork } from "../fuzz/fixture.ts";
import type { AttackOutcome } from "./trace.ts";
import { serve } from "./worker_process.ts";

export interface AttackSetup {
  /** Of `makeOwnNetwork`, as the run has called it: the last of the valid operations are the attacks'. */
  readonly validCount: number;
  readonly nowS: number;
  readonly seed: number;
  /** RPCs a second, each attack. */
  readonly rate: number;
}

export interface AttackOrder {
  /** Which of the run's attacks: each has operations of its own. */
  readonly index: number;
  readonly name: string;
  /** Of the target, and then of all other nodes. */
  readonly addresses: readonly string[];
  readonly durationMs: number;
}

let fixture: Fixture | null = null;
let setup: AttackSetup | null = null;
const running = new Set<Attackers>();

async function attackWith(attackers: Attackers, { name, addresses, durationMs }: AttackOrder): Promise<void> {
  const [attack] = selectAttacks([name]);
  if (attack === undefined) throw new CodedError("UNKNOWN_ATTACK", `There is no attack "${name}"`);
  const cancel = systemClock.after(durationMs, () => attackers.end());
  try {
    await attack.prepare?.(attackers.context);
    await attackers.joinAll(attack.identities?.(addresses) ?? []);
    await attack.run(attackers.context);
  } catch (error) {
    attackers.context.fault(`the attack threw: ${errorMessage(error)}`);
  } finally {
    cancel();
    await attackers.stop();
  }
}

export const methods = {
  setup(wanted: AttackSetup): void {
    setup = wanted;
    fixture = makeOwnNetwork(wanted.validCount, wanted.nowS).fixture;
  },

  /** Resolves when the attack is over. */
  async attack(order: AttackOrder): Promise<AttackOutcome> {
    if (fixture === null || setup === null) throw new CodedError("WORKER_FAILED", "The process has not been set up");
    const end = fixture.valid.length - order.index * ATTACK_SHARE;
    const valid = fixture.valid.slice(end - ATTACK_SHARE, end);
    const [attack] = selectAttacks([order.name]);
    const [targetAddress = ""] = order.addresses;
    if (attack === undefined) throw new CodedError("UNKNOWN_ATTACK", `There is no attack "${order.name}"`);
    const { seed, rate } = setup;
    const attackers = new Attackers(
      attack,
      { fixture: { ...fixture, valid }, valid, targetAddress, seed, rate },
      systemClock,
    );
    running.add(attackers);
    await attackWith(attackers, order);
    running.delete(attackers);
    const { identities, rpcs, messages, bytes } = attackers.tally;
    return {
      identities,
      rpcs,
      messages,
      bytes,
      hungUp: attackers.all.filter(({ hungUpMs }) => hungUpMs !== null).length,
      skipped: attackers.skipped,
      faults: attackers.faults,
    };
  },

  /** Attacks under way end, and tell. */
  end(_: null): void {
    for (const attackers of running) attackers.end();
  },
};
export type AttackMethods = typeof methods;

serve(methods);
