import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { makeNetwork } from "../../src/lab/genesis.ts";
import { type NodeOptions, startNode } from "../../src/node.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-node-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test("node: a start that fails leaves the data directory to the next one", async () => {
  const networkDir = join(dir, "network");
  const plan = { dir: networkDir, validators: 16, secondsPerSlot: 2, genesisDelayMs: 60_000, elUrl: null };
  await makeNetwork({ ...plan, contract: null, messageBusForkEpoch: 0, bootnodes: [] }, systemClock);
  const options: NodeOptions = {
    networkDir,
    elUrl: null,
    dataDir: join(dir, "data"),
    validators: [],
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootnodes: [],
    apiPort: null,
    apiHost: "127.0.0.1",
    version: "0.0.0",
  };
  const deps = { clock: systemClock, random: systemRandom, log: silentLogger, onEvent: () => {} };
  await expect(startNode({ ...options, validators: [16] }, deps)).rejects.toMatchObject({ code: "UNKNOWN_VALIDATOR" });
  await expect(startNode({ ...options, listen: ["/ip4/203.0.113.1/tcp/0"] }, deps)).rejects.toMatchObject({
    code: "ADDRESS_NOT_AVAILABLE",
  });
  const node = await startNode(options, deps);
  await node.stop();
});
