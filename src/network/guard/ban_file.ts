/** Keeps the bans over a restart: a peer must not be rid of one by waiting for ours. */
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type BanRecord, MAX_BANS } from "./bans.ts";

export const BAN_FILE_NAME = "peer_bans.json";

const FILE = z.object({
  version: z.literal(1),
  bans: z
    .array(
      z.object({
        key: z.string().max(128),
        strikes: z.number().int().positive(),
        struckMs: z.number().nonnegative(),
        untilMs: z.number().nonnegative(),
      }),
    )
    .max(MAX_BANS),
});

/** Nothing where there is no file; nothing and a warning where it cannot be used: bans are no reason not to start. */
export async function loadBans(dataDir: string, log: Logger): Promise<BanRecord[]> {
  const path = join(dataDir, BAN_FILE_NAME);
  try {
    return FILE.parse(JSON.parse(await readFile(path, "utf8"))).bans;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      log.warn({ path, error: errorMessage(error) }, "The stored peer bans cannot be read, and are forgotten");
    }
    return [];
  }
}

/** Writes beside and renames, so that a crash leaves the last whole file. */
export async function saveBans(dataDir: string, bans: readonly BanRecord[]): Promise<void> {
  const path = join(dataDir, BAN_FILE_NAME);
  const temporaryPath = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(temporaryPath, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify({ version: 1, bans }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporaryPath, path);
  } catch (error) {
    await rm(temporaryPath, { force: true });
    throw error;
  }
}
