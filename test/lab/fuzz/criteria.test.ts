import { describe, expect, test } from "vitest";
import type { Attack } from "../../../src/lab/fuzz/attack.ts";
import { type Criterion, judge } from "../../../src/lab/fuzz/criteria.ts";
import type { AttackFindings } from "../../../src/lab/fuzz/findings.ts";

const MEBIBYTE = 1024 * 1024;
const FLOOD: Pick<Attack, "hangsUp"> = { hangsUp: true };
const PHASE = { published: 40, delivered: 40, p50Ms: 3, p99Ms: 20 };

/** A flood that met a sound target. */
const SOUND: AttackFindings = {
  attack: "a flood",
  seed: 1,
  durationMs: 2_000,
  rate: 10_000,
  sent: { identities: 1, rpcs: 900, messages: 900, bytes: 900_000, stallMs: 5 },
  validatorCalls: 60,
  hungUp: 1,
  firstHungUpMs: 90,
  longestStayMs: 90,
  graylistedMs: null,
  redialRefused: true,
  honest: {
    phases: { before: PHASE, during: PHASE, after: PHASE },
    published: 120,
    invalid: {},
    invalidSample: null,
    otherValid: 0,
    droppedHonestPeer: false,
  },
  neighbours: { nodes: 4, delivered: 1 },
  target: {
    alive: true,
    eventLoopP99Ms: 20,
    eventLoopMaxMs: 30,
    longestStallMs: 15,
    cpu: 0.1,
    heapGrowthBytes: MEBIBYTE,
    heapIsLive: true,
    rssBytes: 200 * MEBIBYTE,
    disconnects: {},
  },
  notes: {},
  skipped: null,
  faults: [],
};

const target = (changes: Partial<AttackFindings["target"]>): Partial<AttackFindings> => ({
  target: { ...SOUND.target, ...changes },
});
const honest = (changes: Partial<AttackFindings["honest"]>): Partial<AttackFindings> => ({
  honest: { ...SOUND.honest, ...changes },
});
const during = (changes: Partial<typeof PHASE>) =>
  honest({ phases: { before: PHASE, during: { ...PHASE, ...changes }, after: PHASE } });

describe("criteria", () => {
  test.each<[what: string, changes: Partial<AttackFindings>, failed: Criterion[]]>([
    ["a sound target", {}, []],
    ["a target that is gone", target({ alive: false }), ["DEAD"]],
    ["an invalid message that came through", honest({ invalid: { BAD_COUNT: 1 } }), ["INVALID_FORWARDED"]],
    ["an honest peer that was hung up", honest({ droppedHonestPeer: true }), ["HONEST_PEER_DROPPED"]],
    ["a message that the observer did not get", during({ delivered: 39 }), ["HONEST_LOST"]],
    ["a message that another honest node did not get", { neighbours: { nodes: 4, delivered: 0.99 } }, ["HONEST_LOST"]],
    ["honest messages that take twice as long", during({ p99Ms: 120 }), ["HONEST_SLOWED"]],
    ["honest messages that take longer, but less than a tenth of a second", during({ p99Ms: 90 }), []],
    ["a flooder that stays", { longestStayMs: 1_100 }, ["NOT_HUNG_UP"]],
    ["a flooder that nobody hung up", { firstHungUpMs: null, longestStayMs: 500 }, ["NOT_HUNG_UP"]],
    ["a flooder that comes straight back", { redialRefused: false }, ["REDIAL_TAKEN"]],
    ["more than 100 verdicts on one attacker", { validatorCalls: 101 }, ["TOO_MANY_VERDICTS"]],
    ["as many on two attackers", { validatorCalls: 101, sent: { ...SOUND.sent, identities: 2 } }, []],
    ["a stall of its own", target({ longestStallMs: 120 }), ["EVENT_LOOP"]],
    ["a stall that the machine made", target({ eventLoopMaxMs: 400 }), []],
    [
      "a stall by the clock, where nothing else is known",
      target({ longestStallMs: null, eventLoopMaxMs: 400 }),
      ["EVENT_LOOP"],
    ],
    ["a heap that grew", target({ heapGrowthBytes: 17 * MEBIBYTE }), ["HEAP"]],
    ["a heap that grew by garbage", target({ heapGrowthBytes: 17 * MEBIBYTE, heapIsLive: false }), []],
    ["what the attack found itself", { faults: ["it was served"] }, ["ATTACK_FAULT"]],
  ])("judge %s", (_, changes, failed) => {
    expect(judge(FLOOD, { ...SOUND, ...changes })).toEqual(failed);
  });

  test("let the caches of known messages fill, where many identities were judged", () => {
    const report = { ...SOUND, validatorCalls: 50_000, sent: { ...SOUND.sent, identities: 1_000 } };
    expect(judge(FLOOD, { ...report, ...target({ heapGrowthBytes: 60 * MEBIBYTE }) })).toEqual([]);
    expect(judge(FLOOD, { ...report, ...target({ heapGrowthBytes: 65 * MEBIBYTE }) })).toEqual(["HEAP"]);
  });

  test("ask no hang-up of a target where the attack is none that owes one", () => {
    expect(judge({ hangsUp: false }, { ...SOUND, firstHungUpMs: null, validatorCalls: 500 })).toEqual([]);
  });
});
