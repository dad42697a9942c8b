import { describe, expect, test } from "vitest";
import { UnsentExits } from "../../src/pool/unsent_exits.ts";
import { RootsIndex } from "../../src/state/roots.ts";
import type { VerifiedTriggeredExit } from "../../src/validation/triggered_exit.ts";
import { ExitScenario } from "../state/exit_scenario.ts";
import { verifyExit } from "./verify_exit.ts";

const VALIDATORS = [3, 4, 5];

/** Of several validators, all against one root. */
function createExits(): VerifiedTriggeredExit[] {
  const scenario = new ExitScenario();
  const sent = VALIDATORS.map((validatorIndex) => scenario.send(validatorIndex));
  scenario.storeRoot(scenario.head, 0);
  return sent.map((one) => verifyExit(scenario, scenario.operation(one, scenario.tree.count)));
}

function indicesOf(exits: readonly VerifiedTriggeredExit[]): number[] {
  return exits.map(({ validatorIndex }) => validatorIndex);
}

describe("unsent exits", () => {
  const exits = createExits();
  const roots = RootsIndex.empty.withNextPayload((exits[0] as VerifiedTriggeredExit).root);

  test("unsent exits: come out once each; one that is not valid now comes later", () => {
    const unsent = new UnsentExits();
    for (const exit of exits) unsent.keep(exit);
    expect(indicesOf(unsent.take(roots, ({ validatorIndex }) => validatorIndex !== 4))).toEqual([3, 5]);
    expect(indicesOf(unsent.take(roots, () => true))).toEqual([4]);
    expect(unsent.take(roots, () => true)).toEqual([]);
  });

  test("unsent exits: are forgotten once their root does not last", () => {
    const unsent = new UnsentExits();
    for (const exit of exits) unsent.keep(exit);
    expect(unsent.take(RootsIndex.empty, () => true)).toEqual([]);
    expect(unsent.take(roots, () => true)).toEqual([]);
  });

  test("unsent exits: at the limit the oldest is forgotten", () => {
    const unsent = new UnsentExits(2);
    for (const exit of exits) unsent.keep(exit);
    expect(indicesOf(unsent.take(roots, () => true))).toEqual([4, 5]);
  });
});
