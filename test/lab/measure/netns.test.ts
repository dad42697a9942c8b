import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { measure } from "../../../src/lab/measure/measure.ts";
import { NetworkNamespaces, type Place } from "../../../src/lab/measure/netns.ts";
import { LAUNCHER, run } from "../../cli/run.ts";
import { PARAMS } from "./fixture.ts";

const TIMEOUT_MS = 180_000;
const isAllowed =
  spawnSync("unshare", ["--user", "--map-root-user", "--net", "ip", "link", "add", "hub", "type", "bridge"]).status ===
  0;

/** What a command says in a place. */
function within({ enter }: Place, ...command: string[]): string {
  const [program = "", ...args] = [...enter, ...command];
  return execFileSync(program, args, { encoding: "utf8", timeout: 10_000 });
}

it("--netns: says what is missing where it cannot be had, and leaves nothing behind", async () => {
  const out = await mkdtemp(join(tmpdir(), "msgbus-test-"));
  const args = [LAUNCHER, "measure", "--netns", "--nodes", "4", "--out", out];
  const { code, stderr } = await run(args, { PATH: "/nonexistent" });
  expect(code).toBe(1);
  expect(stderr).toContain("NETNS_UNAVAILABLE");
  expect(stderr).toMatch(/there is no unshare|network namespaces are Linux's/);
  expect(await readdir(out)).toEqual([]);
  await rm(out, { recursive: true });
});

it.runIf(isAllowed)(
  "--netns: each place has an address of its own, and they reach each other and the hub",
  async () => {
    const namespaces = await NetworkNamespaces.open(2);
    try {
      const { hub, places } = namespaces;
      expect(places.map(({ host }) => host)).toEqual(["10.77.0.1", "10.77.0.2"]);
      const [first, second] = places as [Place, Place];
      const server = spawn(first.enter[0] as string, [
        ...first.enter.slice(1),
        process.execPath,
        "-e",
        `require("node:net").createServer((s) => s.end(s.remoteAddress)).listen(0, "${first.host}", function () { console.log(this.address().port); })`,
      ]);
      const [port] = await once(server.stdout, "data");
      const ask = `require("node:net").connect(${Number(port)}, "${first.host}").on("data", (text) => console.log(String(text)))`;
      for (const place of [second, hub]) expect(within(place, process.execPath, "-e", ask).trim()).toBe(place.host);
      server.kill("SIGKILL");
      await once(server, "exit");
    } finally {
      await namespaces.close();
    }
  },
);

it.runIf(isAllowed)("--netns: nothing is left when the process that made them is killed", async () => {
  const file = new URL("../../../src/lab/measure/netns.ts", import.meta.url).href;
  const program = `const { NetworkNamespaces } = await import("${file}");
    const { hub, places } = await NetworkNamespaces.open(1);
    console.log(JSON.stringify([hub, ...places].map(({ enter }) => Number(enter[2]))));
    process.stdin.resume();`;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["pipe", "pipe", "inherit"] });
  const [text] = await once(owner.stdout, "data");
  const holders = JSON.parse(String(text)) as number[];
  expect(holders.length).toBe(2);
  owner.kill("SIGKILL");
  const isGone = (pid: number) => expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  await vi.waitFor(() => holders.forEach(isGone), { timeout: 30_000 });
});

it.runIf(isAllowed)(
  "--netns: a network over shaped links delivers everything",
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
    const params = { ...PARAMS, nodes: 4, messages: 10, netns: true, latency: "uniform:5ms" };
    const { report, failedLinks } = await measure(
      { params, outDir: dir, force: false, command: "test", versions: {} },
      { clock: systemClock, signal: new AbortController().signal, version: "0.0.0", onProgress: () => {} },
    );
    expect(failedLinks).toBe(0);
    expect(report.delivery.ratio).toBe(1);
    await rm(dir, { recursive: true, force: true });
  },
  TIMEOUT_MS,
);
