import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { JsonRpc } from "../../src/execution/json_rpc.ts";
import { anvilAccount, startAnvil } from "../../src/lab/anvil.ts";

describe("anvil", () => {
  test("accounts are the mnemonic's, and funded", async () => {
    expect(anvilAccount(0)).toEqual({
      address: "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
      privateKey: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    });
    const anvil = await startAnvil({ accounts: 12 }, systemClock);
    try {
      const rpc = new JsonRpc({ url: anvil.url }, { clock: systemClock, log: silentLogger });
      const addresses = await rpc.request("read", "eth_accounts", [], z.array(z.string()));
      const ours = Array.from({ length: 12 }, (_, index) => anvilAccount(index).address);
      expect(addresses.map((address) => address.toLowerCase())).toEqual(ours);
    } finally {
      await anvil.stop();
    }
  });

  test("stop leaves no process and no files behind and may be called again", async () => {
    const systemDir = tmpdir();
    const dir = await mkdtemp(join(systemDir, "msgbus-test-"));
    process.env.TMPDIR = dir;
    const anvil = await startAnvil({}, systemClock);
    process.env.TMPDIR = systemDir;
    expect(await readdir(dir)).toHaveLength(1);
    await anvil.stop();
    await anvil.stop();
    await anvil.exited;
    expect(() => process.kill(anvil.pid, 0)).toThrow("ESRCH");
    expect(await readdir(dir)).toEqual([]);
    await rm(dir, { recursive: true });
  });

  test("ends with the process that started it, even when that is killed", async () => {
    const dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
    const starter = spawn(process.execPath, [fileURLToPath(new URL("start_anvil.ts", import.meta.url))], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: dir },
    });
    const [pid] = await once(starter.stdout, "data");
    starter.kill("SIGKILL");
    await vi.waitFor(() => expect(() => process.kill(Number(pid), 0)).toThrow("ESRCH"), { timeout: 5_000 });
    await vi.waitFor(async () => expect(await readdir(dir)).toEqual([]), { timeout: 5_000 });
    await rm(dir, { recursive: true });
  });

  test("a busy port is a coded error", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    try {
      await expect(startAnvil({ port }, systemClock)).rejects.toMatchObject({
        code: "ANVIL_UNAVAILABLE",
        message: expect.stringContaining("in use"),
      });
    } finally {
      server.close();
    }
  });
});
