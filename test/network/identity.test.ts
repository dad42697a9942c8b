import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KEY_FILE_NAME, loadIdentity } from "../../src/network/identity.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "msgbus-identity-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const keyFile = () => join(dir, KEY_FILE_NAME);

describe("identity", () => {
  it("is made once, for its owner's eyes, and kept", async () => {
    const first = await loadIdentity(dir);
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600);
    expect(await readdir(dir)).toEqual([KEY_FILE_NAME]);
    expect(first.peerId).toMatch(/^16Uiu2HA/);
    expect((await loadIdentity(dir)).peerId).toBe(first.peerId);
  });
  it("makes the data directory where there is none", async () => {
    const { peerId } = await loadIdentity(join(dir, "a", "b"));
    expect((await loadIdentity(join(dir, "a", "b"))).peerId).toBe(peerId);
  });
  it.each([
    ["zeros", new Uint8Array(36)],
    ["nothing", new Uint8Array()],
    ["a key of zeros", Buffer.concat([Buffer.from("08021220", "hex"), new Uint8Array(32)])],
    ["other bytes", Buffer.from("hello")],
  ])("refuses a key file of %s, says what to do, and leaves it", async (_, bytes) => {
    await writeFile(keyFile(), bytes);
    await expect(loadIdentity(dir)).rejects.toMatchObject({ code: "BAD_KEY_FILE", message: /delete it/ });
    expect(Buffer.from(await readFile(keyFile())).equals(bytes)).toBe(true);
  });
  it("refuses half a key", async () => {
    const { privateKey } = await loadIdentity(dir);
    await writeFile(keyFile(), privateKey.subarray(0, 20));
    await expect(loadIdentity(dir)).rejects.toMatchObject({ code: "BAD_KEY_FILE" });
  });
  it("says so when the data directory is a file", async () => {
    const file = join(dir, "file");
    await writeFile(file, "");
    await chmod(file, 0o600);
    await expect(loadIdentity(file)).rejects.toMatchObject({ code: "KEY_FILE_UNREADABLE" });
  });
});
