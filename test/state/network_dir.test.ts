import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { makeNetwork } from "../../src/lab/genesis.ts";
import { readNetworkDir } from "../../src/state/network_dir.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
  await write(join(dir, "network"));
});

afterEach(() => rm(dir, { recursive: true }));

describe("network directory", () => {
  test("is read as it was written", async () => {
    const { genesisState, bootnodes } = await readNetworkDir(join(dir, "network"));
    expect(genesisState.validators.length).toBe(4);
    expect(bootnodes).toEqual([]);
  });

  test.each<[string, string, (bytes: Uint8Array) => Uint8Array]>([
    ["a genesis state that is cut off", "BAD_SSZ", (bytes) => bytes.subarray(0, 100)],
    ["a genesis state of another fork", "WRONG_FORK", (bytes) => bytes.fill(9, 48, 60)],
  ])("names the file of %s, and what it must be", async (_, code, change) => {
    const file = join(dir, "network", "genesis.ssz");
    await writeFile(file, change(await readFile(file)));
    await expect(readNetworkDir(join(dir, "network"))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(`^${file}: .*genesis state that belongs to the config.yaml beside it$`),
    });
  });

  test("names a file that is missing", async () => {
    await rm(join(dir, "network", "deploy_block.txt"));
    await expect(readNetworkDir(join(dir, "network"))).rejects.toMatchObject({ code: "NETWORK_UNREADABLE" });
  });

  test("where one is already, none is written over it", async () => {
    await copyFile(join(dir, "network", "config.yaml"), join(dir, "config.yaml"));
    await expect(write(dir)).rejects.toMatchObject({ code: "NETWORK_EXISTS" });
  });
});

function write(path: string) {
  const network = { dir: path, validators: 4, secondsPerSlot: 2, genesisDelayMs: 0, messageBusForkEpoch: 0 };
  return makeNetwork({ ...network, elUrl: null, contract: null, bootnodes: [] }, systemClock);
}
