/** What a node's journal held: judged again, whatever has happened since. */
import { describe, expect, test } from "vitest";
import type { JournalRecord } from "../../src/pool/journal.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import { ExitScenario } from "../state/exit_scenario.ts";
import { createScenarioExits } from "./scenario_exits.ts";

function start(scenario: ExitScenario, restored: JournalRecord[]) {
  const node = { isSynced: true };
  const kept: JournalRecord[] = [];
  const published: Uint8Array[] = [];
  const verdicts: string[] = [];
  const { exits, pool } = createScenarioExits(scenario, {
    publish: async (ssz) => {
      published.push(ssz);
      return { topic: "", recipients: 1, duplicate: false };
    },
    isSynced: () => node.isSynced,
    journal: { append: (record) => void kept.push(record) },
    restored,
    onEvent: (event) => void (event.event === "verdict" && verdicts.push(`${event.source} ${event.code}`)),
  });
  return { exits, pool, kept, published, verdicts, node };
}

/** The exits of validators 3, 4 and 5, all proven against the head's newest root. */
function sendAll(scenario: ExitScenario): TriggeredExit[] {
  const sent = [3, 4, 5].map((validatorIndex) => scenario.send(validatorIndex));
  scenario.storeRoot();
  return sent.map((message) => scenario.operation(message));
}

describe("restoring the pool", () => {
  test("restore: what was taken in before a crash is in the pool again, and own submissions are published again", async () => {
    const scenario = new ExitScenario();
    const [first, second] = sendAll(scenario) as [TriggeredExit, TriggeredExit];
    const before = start(scenario, []);
    await before.exits.submit(first);
    await before.exits.submit(second);
    expect(before.kept.map(({ isLocal }) => isLocal)).toEqual([true, true]);

    const after = start(scenario, before.kept);
    after.exits.sweep();
    expect(after.pool.size).toBe(2);
    expect(after.pool.localStatus(3)?.state).toBe("pending");
    expect(after.published).toEqual([first, second].map((exit) => TriggeredExit.serialize(exit)));
    expect(after.verdicts).toEqual(["journal VALID", "journal VALID"]);
    expect(after.kept).toEqual([]);
  });

  test("restore: waits until the node is synced, and takes nothing that is not valid any more", () => {
    const scenario = new ExitScenario();
    const records = sendAll(scenario).map((exit) => ({ ssz: TriggeredExit.serialize(exit), isLocal: false }));
    scenario.head.validators.get(4).exitEpoch = scenario.head.epochCtx.epoch + 5;
    scenario.head.commit();
    const after = start(scenario, records);
    after.node.isSynced = false;
    after.exits.sweep();
    expect(after.verdicts).toEqual([]);
    after.node.isSynced = true;
    after.exits.sweep();
    expect(after.verdicts).toEqual(["journal VALID", "journal EXIT_INITIATED", "journal VALID"]);
    expect(after.pool.size).toBe(2);
    expect(after.published).toEqual([]);
  });

  test("restore: of a validator's records the last one counts", () => {
    const scenario = new ExitScenario();
    const [exit] = sendAll(scenario) as [TriggeredExit];
    const ssz = TriggeredExit.serialize(exit);
    const after = start(scenario, [
      { ssz, isLocal: false },
      { ssz, isLocal: true },
    ]);
    after.exits.sweep();
    expect(after.verdicts).toEqual(["journal VALID"]);
    expect(after.published).toHaveLength(1);
  });
});
