import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { BAN_FILE_NAME, createBanFile } from "../../../src/network/guard/ban_file.ts";
import { ACCEPT, startNode, until } from "../nodes.ts";
import { startRawPeer } from "../raw_peer.ts";

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "msgbus-bans-"));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const RECORD = { key: "peer", strikes: 1, struckMs: 5, untilMs: 10 };
const create = (dir: string | null = dataDir) => createBanFile(dir, { clock: systemClock, log: silentLogger });

describe("ban file", () => {
  it("gives back what was stored, and leaves no other file", async () => {
    const file = create();
    expect(await file.load()).toEqual([]);
    file.changed(() => [RECORD]);
    await file.close();
    expect(await create().load()).toEqual([RECORD]);
    expect(await readdir(dataDir)).toEqual([BAN_FILE_NAME]);
  });

  it("writes by itself soon after a change", async () => {
    create().changed(() => [RECORD]);
    let text = "";
    await until("it is written", () => {
      readFile(join(dataDir, BAN_FILE_NAME), "utf8").then(
        (read) => {
          text = read;
        },
        () => {},
      );
      return text.includes("peer");
    });
  });

  it.each(["", "{", '{"version":2,"bans":[]}', '{"version":1,"bans":[{"key":7}]}'])(
    "starts without bans where the file holds %j",
    async (text) => {
      await writeFile(join(dataDir, BAN_FILE_NAME), text);
      expect(await create().load()).toEqual([]);
    },
  );

  it("stores nothing without a data directory", async () => {
    const file = create(null);
    file.changed(() => [RECORD]);
    await file.close();
    expect(await file.load()).toEqual([]);
  });

  it("keeps a spammer out of a node that restarts", async () => {
    const first = await startNode({ handler: ACCEPT, options: { dataDir } });
    const peer = await startRawPeer();
    await peer.connect(first);
    peer.sendBytes(Buffer.from("ffffff7f", "hex"));
    await until("it is hung up", () => first.network.peers().length === 0);
    await first.network.stop();

    const second = await startNode({ handler: ACCEPT, options: { dataDir } });
    const [address = ""] = second.network.multiaddrs();
    const redial = await peer.libp2p.dial(multiaddr(address)).catch(() => null);
    await until("it is refused", () => redial === null || redial.status !== "open");
    expect(second.network.peers()).toEqual([]);
    const other = await startRawPeer();
    await other.connect(second);
    expect(second.network.peers().length).toBe(1);
  });
});
