import { expect, test } from "vitest";
import { packTriggeredExits } from "../../src/pool/packing.ts";
import { MAX_TRIGGERED_EXITS } from "../../src/spec/preset.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import type { CachedBeaconStateMessageBus } from "../../src/state/beacon_state.ts";
import { getTriggeredExitValidity, processTriggeredExit } from "../../src/state/triggered_exit.ts";
import { createStateView } from "../../src/state/view.ts";
import { SeenExits } from "../../src/validation/seen.ts";
import { judgeSerializedTriggeredExit, type VerifiedTriggeredExit } from "../../src/validation/triggered_exit.ts";
import { operationOf, type ReachableStates, runChain } from "../state/reachable_states.ts";

/** Every exit of every validator that gossip finds valid at some state of the chain. */
function verifiedExits(chain: ReachableStates): VerifiedTriggeredExit[] {
  const found = new Map<string, VerifiedTriggeredExit>();
  for (const state of chain.states) {
    const head = createStateView(state);
    const plain = { head, finalized: head, clockEpoch: head.epoch, synced: true, contract: null };
    for (let index = 0; index < chain.messages.length; index++) {
      for (const count of chain.counts.filter((count) => count > index)) {
        const { operation } = judgeSerializedTriggeredExit(TriggeredExit.serialize(operationOf(chain, index, count)), {
          ...plain,
          shardCommitteePeriodEpochs: state.config.SHARD_COMMITTEE_PERIOD,
          seen: new SeenExits(),
        });
        if (operation !== null) found.set(`${index} ${count}`, operation);
      }
    }
  }
  return [...found.values()];
}

test.each([
  ["from genesis on", 0],
  ["after an upgrade from Fulu", 1],
])(
  "packing: on states all along a chain %s, the block takes all that is packed, and would take nothing more",
  (_, forkEpoch) => {
    const chain = runChain(forkEpoch);
    const exits = verifiedExits(chain);
    expect(exits.length).toBeGreaterThan(25);
    for (const state of chain.states) {
      const candidates = exits.map((exit, i) => ({ exit, isLocal: i % 3 === 0 }));
      const packed = packTriggeredExits(candidates, state, new Set());
      const block = state.clone() as CachedBeaconStateMessageBus;
      for (const operation of packed) processTriggeredExit(block, operation);
      if (packed.length === MAX_TRIGGERED_EXITS) continue;
      for (const { ssz } of exits) {
        expect(getTriggeredExitValidity(block, TriggeredExit.deserialize(ssz)).code).not.toBe("VALID");
      }
    }
  },
);
