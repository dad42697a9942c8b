import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { ByteSource } from "../../../src/lab/fuzz/byte_source.ts";
import { CATALOGUE, selectAttacks } from "../../../src/lab/fuzz/catalogue.ts";
import { makeOwnNetwork } from "../../../src/lab/fuzz/fixture.ts";
import { assertLocal } from "../../../src/lab/fuzz/fuzz.ts";
import { MUTATIONS, mutate, reencode } from "../../../src/lab/fuzz/mutate.ts";
import { encodeRpc, UINT64_MAX } from "../../../src/lab/fuzz/rpc.ts";
import { parseMetrics } from "../../../src/lab/fuzz/scrape.ts";
import { type SpecimenCode, specimenOf } from "../../../src/lab/fuzz/specimens.ts";
import { compressBlock } from "../../../src/network/encoding.ts";
import { createStateView } from "../../../src/state/view.ts";
import { judgeTriggeredExit, type TriggeredExitContext } from "../../../src/validation/triggered_exit.ts";
import { TRIGGERED_EXIT_CODES } from "../../../src/validation/verdict.ts";

const { fixture, head, finalized } = makeOwnNetwork(64, 1_800_000_000);
const context: TriggeredExitContext = {
  head: createStateView(head),
  finalized: createStateView(finalized),
  clockEpoch: 0,
  shardCommitteePeriodEpochs: 0,
  synced: true,
  seen: { has: () => false },
  contract: null,
};
const verdictOn = (wireData: Uint8Array) => judgeTriggeredExit(wireData, context).verdict;
const source = (seed: number) => new ByteSource(seededRandom(seed));

describe("fixture", () => {
  test("has operations that are valid, and one message proven against every stored root", () => {
    const codes = (operations: readonly Uint8Array[]) =>
      operations.map((operation) => verdictOn(compressBlock(operation)).code);
    expect(new Set(codes(fixture.valid))).toEqual(new Set(["VALID"]));
    expect(fixture.valid).toHaveLength(64);
    expect(codes(fixture.reproofs).slice(1)).toEqual(new Array(63).fill("VALID"));
    expect(codes(fixture.reproofs)[0]).toBe("ROOT_EXPIRING");
  });

  test("has spam for each reason, endless, with just that verdict", () => {
    const random = source(1);
    const unavailable = ["VALID", "NOT_SYNCED", "ALREADY_SEEN", "ROOT_EXPIRED", "FORGED_PROOF", "INTERNAL_ERROR"];
    for (const code of TRIGGERED_EXIT_CODES.filter((name) => !unavailable.includes(name))) {
      const specimen = specimenOf(fixture, code as SpecimenCode);
      const codes = Array.from({ length: 40 }, () => verdictOn(specimen?.(random) ?? new Uint8Array()).code);
      expect(new Set(codes), code).toEqual(new Set([code]));
    }
  });

  test.each([
    ["WRONG_SENDER", 2],
    ["EXIT_INITIATED", 2],
    ["NO_EXECUTION_ADDRESS", 2],
    ["TOO_YOUNG", 2],
  ] as const)("has spam for both results of %s", (code, results) => {
    const [random, specimen] = [source(2), specimenOf(fixture, code)];
    const found = Array.from({ length: 60 }, () => verdictOn(specimen?.(random) ?? new Uint8Array()).result);
    expect(new Set(found).size).toBe(results);
  });
});

describe("mutation", () => {
  const [valid] = fixture.valid as [Uint8Array];

  test("is the same for the same seed, and another for another", () => {
    const bytes = (seed: number) => {
      const random = source(seed);
      return Buffer.concat(Array.from({ length: 100 }, () => mutate(valid, random))).toString("base64");
    };
    expect(bytes(7)).toBe(bytes(7));
    expect(bytes(7)).not.toBe(bytes(8));
  });

  test("leaves the operation that it starts from as it was", () => {
    const before = valid.slice();
    const random = source(3);
    for (const change of Object.values(MUTATIONS)) for (let i = 0; i < 20; i++) change(valid, random);
    expect(valid).toEqual(before);
  });

  test("finds no bytes that the verdict takes for valid and that differ from the operation", () => {
    const random = source(4);
    for (let i = 0; i < 20_000; i++) {
      const outcome = judgeTriggeredExit(mutate(valid, random), context);
      if (outcome.operation !== null) expect(outcome.ssz).toEqual(Buffer.from(valid));
    }
  });

  test("encodes the same operation in another way", () => {
    const encoded = reencode(valid, source(5));
    expect(encoded).not.toEqual(compressBlock(valid));
    expect(verdictOn(encoded).code).toBe("VALID");
  });
});

describe("rpc", () => {
  test("writes what gossipsub's decoder reads", () => {
    const [id, topic] = [new Uint8Array(20).fill(7), "t"];
    const decoded = RPC.decode(
      // The decoder's values are of the kind of what it reads.
      Uint8Array.from(
        encodeRpc({
          subscriptions: [{ topic, subscribe: false }],
          messages: [{ topic, data: id, from: id, seqno: id, signature: id, key: id }],
          ihave: [{ topic, messageIds: [id, id] }],
          iwant: [[id]],
          graft: [topic],
          prune: [{ topic, backoff: 5n, peers: [{ peerId: id, signedPeerRecord: id }] }],
          idontwant: [[id]],
        }),
      ),
    );
    expect(decoded).toEqual({
      subscriptions: [{ topic, subscribe: false }],
      messages: [{ topic, data: id, from: id, seqno: id, signature: id, key: id }],
      control: {
        ihave: [{ topicID: topic, messageIDs: [id, id] }],
        iwant: [{ messageIDs: [id] }],
        graft: [{ topicID: topic }],
        prune: [{ topicID: topic, backoff: 5, peers: [{ peerID: id, signedPeerRecord: id }] }],
        idontwant: [{ messageIDs: [id] }],
      },
    });
  });

  test("writes values that no encoder of numbers can", () => {
    expect(Buffer.from(encodeRpc({ prune: [{ topic: "", backoff: UINT64_MAX }] })).toString("hex")).toContain(
      "18ffffffffffffffffff01",
    );
  });
});

test("catalogue: every attack has a name of its own, its source, and what a sound target does", () => {
  expect(new Set(CATALOGUE.map(({ name }) => name)).size).toBe(CATALOGUE.length);
  for (const { what, source: origin, sound } of CATALOGUE) {
    for (const text of [what, origin, sound]) expect(text.length).toBeGreaterThan(5);
  }
});

test("catalogue: is chosen by name, by group, or whole", () => {
  expect(selectAttacks(["all"])).toEqual(CATALOGUE);
  expect(selectAttacks(["sybil", "replay"]).map(({ name }) => name)).toEqual(["replay", "sybil"]);
  expect(selectAttacks(["networks"]).every(({ group }) => group === "networks")).toBe(true);
  expect(() => selectAttacks(["sybils"])).toThrow(expect.objectContaining({ code: "UNKNOWN_ATTACK" }));
});

test("fuzz: a target on another machine is refused", () => {
  for (const host of ["127.0.0.1", "127.8.8.8", "::1"]) expect(() => assertLocal(host)).not.toThrow();
  for (const host of ["10.0.0.1", "203.0.113.7", "::", "2001:db8::1", "localhost"]) {
    expect(() => assertLocal(host), host).toThrow(expect.objectContaining({ code: "REMOTE_TARGET" }));
  }
});

test("scrape: sums the verdicts on exits, and takes a target that tells nothing as it is", () => {
  const text = [
    "# TYPE msgbus_gossip_verdicts_total counter",
    'msgbus_gossip_verdicts_total{topic="triggered_exit",result="reject",code="BAD_COUNT"} 3',
    'msgbus_gossip_verdicts_total{topic="triggered_exit",result="accept",code="VALID"} 2',
    'msgbus_gossip_verdicts_total{topic="beacon_block",result="accept",code="VALID"} 90',
    'msgbus_gossip_verdicts_total{topic="triggered_exit",result="ignore",code="PEER_GONE"} 70',
    'msgbus_peer_disconnects_total{reason="RPC_RATE"} 2',
    "nodejs_heap_size_used_bytes 1000",
    "nodejs_external_memory_bytes 24",
    "nodejs_eventloop_lag_p99_seconds 0.012",
    "process_cpu_seconds_total 1.5",
  ].join("\n");
  expect(parseMetrics(text)).toEqual({
    verdicts: 5,
    cpuSeconds: 1.5,
    eventLoopP99Ms: 12,
    eventLoopMaxMs: null,
    heapBytes: 1024,
    rssBytes: null,
    disconnects: { RPC_RATE: 2 },
  });
  expect(parseMetrics("").verdicts).toBeNull();
});
