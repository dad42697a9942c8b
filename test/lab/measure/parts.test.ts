import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { assertFits, processCount } from "../../../src/lab/measure/capacity.ts";
import {
  graftBytes,
  idListBytes,
  ihaveBytes,
  pruneBytes,
  subscriptionBytes,
} from "../../../src/lab/measure/control_size.ts";
import { encodeTraceEvent } from "../../../src/lab/measure/formats/pubsub_protobuf.ts";
import { CITIES, roundTripMs } from "../../../src/lab/measure/links/cities.ts";
import { parseBandwidth, parseLatency } from "../../../src/lab/measure/links/model.ts";
import { configHash } from "../../../src/lab/measure/params.ts";
import { CHURN_DOWN_MS, planRun } from "../../../src/lab/measure/plan.ts";
import { bootstrapQuantiles, distributionOf, quantile } from "../../../src/lab/measure/statistics.ts";
import { parseSweep } from "../../../src/lab/measure/sweep.ts";
import {
  expectedLinks,
  makeTopology,
  neighboursOf,
  parseTopology,
  unreachable,
} from "../../../src/lab/measure/topology.ts";
import { PARAMS } from "./fixture.ts";

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "none";
};

describe("topology", () => {
  it("random: everybody is reached, has the degree asked for, and nobody is linked with itself or twice", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer(),
        (nodes, degree, seed) => {
          const topology = makeTopology("random", nodes, degree, seededRandom(Math.abs(seed)));
          expect(unreachable(topology)).toEqual([]);
          const keys = topology.links.map((link) => [...link].sort((a, b) => a - b).join());
          expect(new Set(keys).size).toBe(keys.length);
          expect(topology.links.every(([from, to]) => from !== to)).toBe(true);
          const degrees = neighboursOf(topology).map(({ length }) => length);
          expect(Math.min(...degrees)).toBeGreaterThanOrEqual(Math.min(degree, nodes - 1));
        },
      ),
    );
  });

  it("random: the same seed links the same nodes", () => {
    expect(makeTopology("random", 30, 6, seededRandom(7))).toEqual(makeTopology("random", 30, 6, seededRandom(7)));
    expect(makeTopology("random", 30, 6, seededRandom(8))).not.toEqual(makeTopology("random", 30, 6, seededRandom(7)));
  });

  it("ring and star: have their shapes", () => {
    const degrees = (name: "ring" | "star", degree: number) =>
      neighboursOf(makeTopology(name, 6, degree, seededRandom(1))).map(({ length }) => length);
    expect(degrees("ring", 2)).toEqual([2, 2, 2, 2, 2, 2]);
    expect(degrees("ring", 4)).toEqual([4, 4, 4, 4, 4, 4]);
    expect(degrees("star", 4)).toEqual([5, 1, 1, 1, 1, 1]);
  });

  it.each([
    ["an unknown node", { nodes: ["a", "b"], links: [["a", "c"]] }, '"c", which is no node'],
    ["a self loop", { nodes: ["a", "b"], links: [["a", "a"]] }, '"a" is linked with itself'],
    [
      "islands",
      {
        nodes: ["a", "b", "c", "d"],
        links: [
          ["a", "b"],
          ["c", "d"],
        ],
      },
      '2 of 4 nodes are cut off from "a", such as "c"',
    ],
    [
      "a link that is there twice",
      {
        nodes: ["a", "b"],
        links: [
          ["a", "b"],
          ["b", "a"],
        ],
      },
      "linked twice",
    ],
    ["a node that is there twice", { nodes: ["a", "b", "a"], links: [["a", "b"]] }, "named twice: a"],
    ["no links", { nodes: ["a", "b"], links: [] }, "links"],
    ["an unknown key", { nodes: ["a", "b"], links: [["a", "b"]], edges: [] }, "edges"],
  ])("file: refuses %s", (_, value, message) => {
    const action = () => parseTopology(JSON.stringify(value), "net.json");
    expect(codeOf(action)).toBe("TOPOLOGY_INVALID");
    expect(action).toThrow(message);
  });
});

describe("models", () => {
  it("latency: reads each kind, and refuses the rest", () => {
    expect(parseLatency("uniform:50ms")).toEqual({ kind: "uniform", ms: 50 });
    expect(parseLatency("normal:50ms,10ms")).toEqual({ kind: "normal", ms: 50, deviationMs: 10 });
    expect(parseLatency("cities")).toEqual({ kind: "cities" });
    for (const text of [
      "",
      "uniform",
      "uniform:50",
      "uniform:-1ms",
      "normal:50ms",
      "cities:5ms",
      "uniform:99999ms",
      "none:",
      "uniform:50ms:9",
    ]) {
      expect(codeOf(() => parseLatency(text))).toBe("BAD_LATENCY");
    }
  });

  it("bandwidth: reads a rate as bytes a millisecond, and refuses the rest", () => {
    expect(parseBandwidth("none")).toBeNull();
    expect(parseBandwidth("uniform:50mbit")).toBe(6250);
    for (const text of ["", "uniform:", "uniform:0mbit", "50mbit", "uniform:5mb"]) {
      expect(codeOf(() => parseBandwidth(text))).toBe("BAD_BANDWIDTH");
    }
  });

  it("cities: every pair has a round trip, the same both ways", () => {
    for (const a of CITIES.keys()) {
      for (const b of CITIES.keys()) {
        expect(roundTripMs(a, b)).toBeGreaterThan(0);
        expect(roundTripMs(a, b)).toBe(roundTripMs(b, a));
      }
    }
    expect(roundTripMs(CITIES.indexOf("London"), CITIES.indexOf("Singapore"))).toBe(167);
  });
});

describe("capacity", () => {
  const machine = { cores: 2, availableBytes: 8e9, fileDescriptors: 1024 };

  it("says how many nodes fit where files are few", () => {
    const demand = { nodes: 1000, links: 8000, mostLinks: 16, isShaped: false };
    const roomy = { ...machine, availableBytes: 1e12 };
    let fits = 0;
    try {
      assertFits(demand, roomy);
    } catch (error) {
      fits = (error as { fields: { fits: number } }).fields.fits;
      expect(String(error)).toContain("ulimit -n");
    }
    expect(fits).toBeGreaterThan(10);
    assertFits({ ...demand, nodes: fits, links: 8 * fits }, roomy);
    expect(codeOf(() => assertFits({ ...demand, nodes: fits + 1, links: 8 * (fits + 1) }, roomy))).toBe(
      "TOO_MANY_NODES",
    );
  });

  it("knows that one process has all the links of a star's hub", () => {
    const roomy = { ...machine, availableBytes: 1e12 };
    const star = (nodes: number) => ({ nodes, ...expectedLinks("star", nodes, 16), isShaped: false });
    // 64 files of the process's own; of 500 nodes and 499 links, half of each, and the hub's ends.
    assertFits(star(500), { ...roomy, fileDescriptors: 64 + 250 + 250 + 499 });
    expect(codeOf(() => assertFits(star(500), { ...roomy, fileDescriptors: 64 + 250 + 250 + 490 }))).toBe(
      "TOO_MANY_NODES",
    );
  });

  it("says how many nodes fit where memory is short", () => {
    const roomy = { ...machine, fileDescriptors: Number.POSITIVE_INFINITY, availableBytes: 1e9 };
    expect(() => assertFits({ nodes: 500, links: 4000, mostLinks: 16, isShaped: true }, roomy)).toThrow(
      /of memory.*\d+ nodes fit/,
    );
    assertFits({ nodes: 20, links: 160, mostLinks: 16, isShaped: true }, roomy);
  });

  it("takes a process a core, and never an empty one", () => {
    expect(processCount(machine, 50)).toBe(2);
    expect(processCount({ ...machine, cores: 64 }, 4)).toBe(2);
  });
});

describe("statistics", () => {
  it("quantile: is the nearest rank, a value that occurred", () => {
    const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    expect([0, 0.1, 0.5, 0.9, 0.91, 0.99, 1].map((q) => quantile(values, q))).toEqual([1, 1, 5, 9, 10, 10, 10]);
    expect(quantile([], 0.5)).toBeNull();
    expect(distributionOf([])).toBeNull();
  });

  it("bootstrap: holds the value, and is wider where groups differ", () => {
    const random = seededRandom(1);
    const alike = Array.from({ length: 40 }, () => Float64Array.from({ length: 20 }, () => 10 + random.float()));
    const unlike = alike.map((group, k) => group.map((value) => value + (k % 2) * 50));
    const [narrow] = bootstrapQuantiles(alike, [0.5], seededRandom(2));
    const [wide] = bootstrapQuantiles(unlike, [0.5], seededRandom(2));
    expect(narrow?.low).toBeGreaterThan(10);
    expect((narrow?.high ?? 0) - (narrow?.low ?? 0)).toBeLessThan(0.3);
    expect((wide?.high ?? 0) - (wide?.low ?? 0)).toBeGreaterThan(10);
    expect(bootstrapQuantiles([], [0.5, 0.99], random)).toEqual([null, null]);
  });

  it("bootstrap: is what sorting every resample gives", () => {
    const random = seededRandom(3);
    // With ties, and with messages that reached nobody.
    const groups = Array.from({ length: 30 }, (_, k) =>
      Float64Array.from({ length: random.below(12) }, () => random.below(50) + k),
    );
    const draws = seededRandom(4);
    const medians: number[] = [];
    const tails: number[] = [];
    for (let resample = 0; resample < 200; resample++) {
      const drawn = groups.map(() => groups[draws.below(groups.length)] as Float64Array);
      const values = Float64Array.from(drawn.flatMap((group) => [...group])).sort();
      medians.push(quantile(values, 0.5) as number);
      tails.push(quantile(values, 0.99) as number);
    }
    const interval = (values: number[]) => {
      const sorted = values.sort((a, b) => a - b);
      return { low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
    };
    expect(bootstrapQuantiles(groups, [0.5, 0.99], seededRandom(4))).toEqual([interval(medians), interval(tails)]);
  });

  it("bootstrap: costs less than sorting some resamples of many", () => {
    const random = seededRandom(5);
    const groups = Array.from({ length: 400 }, () => Float64Array.from({ length: 500 }, () => random.float()));
    const cpuMs = (action: () => unknown) => {
      const before = process.cpuUsage();
      action();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    const sortMs = cpuMs(() => Float64Array.from(groups.flatMap((group) => [...group])).sort());
    // Were each of the 200 sorted, it would be 200 and more.
    expect(cpuMs(() => bootstrapQuantiles(groups, [0.5, 0.99], random)) / sortMs).toBeLessThan(60);
  });
});

describe("plan", () => {
  it("publishes at the rate, warming up first, and the same for a seed", () => {
    const plan = planRun(PARAMS);
    expect(plan.publications).toHaveLength(25);
    expect(plan.publications.map(({ atMs }) => atMs).slice(0, 3)).toEqual([0, 100, 200]);
    expect(plan.countFromMs).toBe(500);
    expect(planRun(PARAMS)).toEqual(plan);
    expect(planRun({ ...PARAMS, seed: 2 }).publications).not.toEqual(plan.publications);
  });

  it("churn: who leaves comes back, publishes nothing meanwhile, and half stay", () => {
    const plan = planRun({ ...PARAMS, messages: 600, churn: 0.2 });
    const leaves = plan.churn.filter(({ kind }) => kind === "leave");
    expect(leaves.length).toBeGreaterThan(5);
    for (const { node, atMs } of leaves) {
      expect(plan.churn).toContainEqual({ node, atMs: atMs + CHURN_DOWN_MS, kind: "return" });
      const during = plan.publications.filter(
        (publication) =>
          publication.node === node && publication.atMs >= atMs && publication.atMs < atMs + CHURN_DOWN_MS,
      );
      expect(during).toEqual([]);
    }
    for (const { atMs } of plan.churn) {
      const away = leaves.filter((leave) => leave.atMs <= atMs && atMs < leave.atMs + CHURN_DOWN_MS);
      expect(away.length).toBeLessThanOrEqual(PARAMS.nodes / 2);
    }
  });

  it("config hash: is of what decides, but for the seed", () => {
    const hash = configHash(PARAMS, []);
    expect(configHash({ ...PARAMS, seed: 9 }, [[0, 1]])).toBe(hash);
    expect(configHash({ ...PARAMS, topology: "f" }, [[0, 1]])).toBe(configHash({ ...PARAMS, topology: "g" }, [[0, 1]]));
    expect(configHash({ ...PARAMS, degree: 4 }, [])).not.toBe(hash);
    expect(configHash({ ...PARAMS, topology: "f" }, [[0, 1]])).not.toBe(
      configHash({ ...PARAMS, topology: "f" }, [[1, 2]]),
    );
  });
});

describe("sweep", () => {
  it("makes every combination", () => {
    const combinations = parseSweep(
      "base: {nodes: 20}\nmatrix: {degree: [8, 16], latency: [none, 'uniform:50ms']}",
      "s.yaml",
    );
    expect(combinations.map(({ name }) => name)).toEqual([
      "degree=8+latency=none",
      "degree=8+latency=uniform_50ms",
      "degree=16+latency=none",
      "degree=16+latency=uniform_50ms",
    ]);
    expect(combinations[1]?.options).toEqual({ nodes: "20", degree: "8", latency: "uniform:50ms" });
  });

  it.each([
    ["broken YAML", "base: {"],
    ["no matrix", "base: {nodes: 3}"],
    ["an empty list", "matrix: {degree: []}"],
    ["nothing to vary", "base: {nodes: 3}\nmatrix: {}"],
    ["two that would write into one directory", "matrix: {latency: [none], topology: [a b, a/b]}"],
    ["a nested value", "matrix: {degree: [{a: 1}]}"],
    [
      "too many combinations",
      `matrix: {a: [${Array.from({ length: 40 }, (_, i) => i)}], b: [${Array.from({ length: 40 }, (_, i) => i)}]}`,
    ],
  ])("refuses %s", (_, text) => {
    expect(codeOf(() => parseSweep(text, "s.yaml"))).toBe("SWEEP_INVALID");
  });
});

describe("pubsub events in protobuf", () => {
  const head = '"peerID":"AQI=","timestamp":1795407436147344001';
  const control =
    '"ihave":[{"topic":"t","messageIDs":["BAU=","Bg=="]}],"prune":[{"topic":"t"}],"idontwant":[{"messageIDs":["Bg=="]}]';
  const meta = `"messages":[{"messageID":"BAU=","topic":"t"}],"subscription":[{"subscribe":false,"topic":"t"}],"control":{${control}}`;

  // By proto.Marshal of go-libp2p-pubsub v0.19, from the same JSON.
  it.each([
    [`{"type":9,${head},"join":{"topic":"t"}}`, "080912020102188185a1d5cfb1a4f5186a030a0174"],
    [
      `{"type":7,${head},"sendRPC":{"sendTo":"Aw==","meta":{${meta}}}}`,
      "080712020102188185a1d5cfb1a4f5185a2d0a010312280a070a020405120174120508001201741a160a0a0a01741202040512010622030a01742a030a0106",
    ],
  ])("are Go's bytes of %s", (line, hex) => {
    expect(encodeTraceEvent(line).toString("hex")).toBe(hex);
  });
});

describe("control sizes", () => {
  it("are what the library's encoder writes", () => {
    const topic = "/eth2/affa37d3/triggered_exit/ssz_snappy";
    const control = { ihave: [], iwant: [], graft: [], prune: [], idontwant: [] };
    const sizeOf = (part: Partial<RPC.ControlMessage>): number => {
      const bytes = RPC.encode({ subscriptions: [], messages: [], control: { ...control, ...part } }).length;
      // Without the envelope: key, and the length of all control messages.
      return bytes - (bytes - 2 < 128 ? 2 : bytes - 3 < 16_384 ? 3 : 4);
    };
    for (const count of [1, 5, 6, 100, 1000]) {
      const messageIDs = Array.from({ length: count }, () => new Uint8Array(20).fill(7));
      expect(ihaveBytes(topic, count)).toBe(sizeOf({ ihave: [{ topicID: topic, messageIDs }] }));
      expect(idListBytes(count)).toBe(sizeOf({ iwant: [{ messageIDs }] }));
      expect(idListBytes(count)).toBe(sizeOf({ idontwant: [{ messageIDs }] }));
    }
    expect(graftBytes(topic)).toBe(sizeOf({ graft: [{ topicID: topic }] }));
    expect(pruneBytes(topic)).toBe(sizeOf({ prune: [{ topicID: topic, peers: [], backoff: 60 }] }));
    const subscription = RPC.encode({ subscriptions: [{ subscribe: true, topic }], messages: [] });
    expect(subscriptionBytes(topic)).toBe(subscription.length);
  });
});
