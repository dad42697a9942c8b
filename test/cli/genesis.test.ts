import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadIdentity } from "../../src/network/identity.ts";
import { LAUNCHER, run } from "./run.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("msgbus genesis: nodes that it is told of have their keys made, and are each other's bootnodes", async () => {
  const addresses = ["/dns4/node-0/tcp/9000", "/ip4/127.0.0.1/tcp/9001"];
  const args = ["genesis", "--out", dir, "--validators", "4", "--json"];
  const genesis = () => run([LAUNCHER, ...args, ...addresses.map((address) => `--node-address=${address}`)]);
  const { code, stdout } = await genesis();
  expect(code).toBe(0);
  const { bootnodes } = JSON.parse(stdout);
  const identities = await Promise.all(addresses.map((_, i) => loadIdentity(join(dir, "nodes", String(i)))));
  expect(bootnodes).toEqual(addresses.map((address, i) => `${address}/p2p/${identities[i]?.peerId}`));
  expect(await readFile(join(dir, "bootnodes.txt"), "utf8")).toBe(`${bootnodes.join("\n")}\n`);
  expect((await stat(join(dir, "nodes/1/network.key"))).mode & 0o777).toBe(0o600);

  // Another try makes no other keys, and leaves the network as it is.
  expect(await genesis()).toMatchObject({ code: 1, stderr: expect.stringContaining("NETWORK_EXISTS") });
  expect(await loadIdentity(join(dir, "nodes/0"))).toEqual(identities[0]);
});
