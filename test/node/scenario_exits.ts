/** The way of exits through a node whose views are a scenario's, with nothing around it. */
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { NodeExits, type NodeExitsDeps } from "../../src/node_exits.ts";
import { TriggeredExitPool } from "../../src/pool/triggered_exits.ts";
import { createStateView } from "../../src/state/view.ts";
import { TriggeredExitValidator } from "../../src/validation/triggered_exit.ts";
import type { ExitScenario } from "../state/exit_scenario.ts";

export const SLOT_MS = 6000;

/** Synced, without a contract, a journal and peers, but for what `deps` says. */
export function createScenarioExits(
  scenario: ExitScenario,
  { pool = new TriggeredExitPool(), ...deps }: Partial<NodeExitsDeps>,
) {
  const views = { ...scenario.context() };
  const exits = new NodeExits({
    validator: new TriggeredExitValidator({
      shardCommitteePeriodEpochs: views.shardCommitteePeriodEpochs,
      getViews: () => views,
      clockEpoch: () => views.clockEpoch,
    }),
    pool,
    headView: () => views.head,
    publish: async () => ({ topic: "", recipients: 1, duplicate: false }),
    proveAgain: () => null,
    onAccepted: () => {},
    isSynced: () => true,
    penalize: () => {},
    slotMs: SLOT_MS,
    journal: null,
    restored: [],
    onEvent: () => {},
    clock: systemClock,
    log: silentLogger,
    ...deps,
  });
  return {
    exits,
    pool,
    /** The scenario's head, as it is now, is the node's. */
    onHead() {
      views.head = createStateView(scenario.head);
      exits.onHead();
    },
  };
}
