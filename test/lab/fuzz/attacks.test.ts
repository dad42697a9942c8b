/** Each attack for a moment, against a real node in a process of its own; and against a canary that must fail. */
import { expect, test } from "vitest";
import { untilAborted } from "../../../src/base/abort.ts";
import { systemClock } from "../../../src/base/clock.ts";
import type { Attack } from "../../../src/lab/fuzz/attack.ts";
import { CATALOGUE, selectAttacks } from "../../../src/lab/fuzz/catalogue.ts";
import type { AttackReport } from "../../../src/lab/fuzz/criteria.ts";
import { UNTIMED } from "../../../src/lab/fuzz/criteria.ts";
import { type FuzzOptions, runFuzz } from "../../../src/lab/fuzz/fuzz.ts";

const MOMENT: Omit<FuzzOptions, "attacks"> = {
  seed: 1,
  durationMs: 300,
  quietMs: 150,
  rate: 10_000,
  honestRate: 20,
  measureHeap: false,
  honestNodes: 2,
  peer: null,
  ownTarget: "node",
  freshTargets: false,
};

function fuzz(
  options: Partial<FuzzOptions> & Pick<FuzzOptions, "attacks">,
  signal = new AbortController().signal,
): Promise<AttackReport[]> {
  return runFuzz({ ...MOMENT, ...options }, () => {}, systemClock, signal);
}

test("fuzz: no attack gets an invalid message forwarded, an honest one lost, or the node down", async () => {
  const [networks, others] = [selectAttacks(["networks"]), CATALOGUE.filter(({ group }) => group !== "networks")];
  const reports = [
    ...(await fuzz({ attacks: others })),
    // Their identities need some time to join.
    ...(await fuzz({ attacks: networks, durationMs: 1_500 })),
  ];
  expect(reports.map(({ attack }) => attack)).toEqual(CATALOGUE.map(({ name }) => name));
  // How fast it all went depends on what else this machine does.
  const failures = reports.flatMap(({ attack, failed, faults, honest }) =>
    failed.filter((criterion) => UNTIMED.has(criterion)).map((criterion) => [attack, criterion, faults, honest]),
  );
  expect(failures).toEqual([]);
  expect(reports.filter(({ sent }) => sent.identities === 0 && sent.rpcs === 0)).toEqual([]);
  expect(reports.every(({ honest }) => honest.phases.during.published > 0)).toBe(true);
}, 240_000);

test("fuzz: who is asked to leave ends the attack of that time, reports it, and makes no other", async () => {
  const leaving = new AbortController();
  const endless: Attack = {
    name: "endless",
    group: "networks",
    what: "waits",
    source: "this test",
    sound: "waits",
    hangsUp: false,
    async run({ signal }) {
      leaving.abort();
      await untilAborted(signal);
    },
  };
  const hour = 3_600_000;
  const reports = await fuzz({ attacks: [endless, endless], durationMs: hour, honestRate: 0.01 }, leaving.signal);
  expect(reports.map(({ attack, durationMs }) => [attack, durationMs])).toEqual([["endless", hour]]);
}, 60_000);

test("fuzz: the canary, stock gossipsub without cures, fails", async () => {
  const names = ["spam-wrong-sender", "mutation", "iwant-unvalidated", "floodsub-downgrade", "auth-fields"];
  // Long enough for a busy machine to forward something: at a moment's length it once did not.
  const reports = await fuzz({ attacks: selectAttacks(names), ownTarget: "canary", durationMs: 2_000 });
  const failedOf = (name: string) => reports.find(({ attack }) => attack === name)?.failed ?? [];
  expect(failedOf("spam-wrong-sender")).toContain("INVALID_FORWARDED");
  expect(failedOf("spam-wrong-sender")).toContain("NOT_HUNG_UP");
  expect(failedOf("mutation")).toContain("INVALID_FORWARDED");
  expect(failedOf("auth-fields")).toContain("INVALID_FORWARDED");
  expect(failedOf("floodsub-downgrade")).toContain("ATTACK_FAULT");
}, 60_000);
