/** Keeps the bans over a restart: a peer must not be rid of one by waiting for ours. */
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { CancelTimer, Clock } from "../../base/clock.ts";
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type BanRecord, MAX_BANS } from "./bans.ts";

export const BAN_FILE_NAME = "peer_bans.json";
/** Written this long after a change, so that a flood of bans is one write. */
const SAVE_DELAY_MS = 1_000;

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

export interface BanFile {
  /** Nothing where there is no file; nothing and a warning where it cannot be used: bans are no reason not to start. */
  load(): Promise<BanRecord[]>;
  /** Has what `bans` then gives be written soon. */
  changed(bans: () => readonly BanRecord[]): void;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

/** `dataDir` null: keeps nothing. */
export function createBanFile(dataDir: string | null, { clock, log }: { clock: Clock; log: Logger }): BanFile {
  let pending: { bans: () => readonly BanRecord[]; cancel: CancelTimer } | null = null;

  async function save(path: string): Promise<void> {
    if (pending === null) return;
    const { bans, cancel } = pending;
    pending = null;
    cancel();
    await write(path, JSON.stringify({ version: 1, bans: bans() })).catch((error) =>
      log.warn({ path, error: errorMessage(error) }, "The peer bans cannot be stored"),
    );
  }

  if (dataDir === null) return { load: async () => [], changed: () => {}, close: async () => {} };
  const path = join(dataDir, BAN_FILE_NAME);
  let saving = Promise.resolve();
  const saveInTurn = () => {
    saving = saving.then(() => save(path));
    return saving;
  };
  return {
    async load() {
      try {
        return FILE.parse(JSON.parse(await readFile(path, "utf8"))).bans;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
          log.warn({ path, error: errorMessage(error) }, "The stored peer bans cannot be read, and are forgotten");
        }
        return [];
      }
    },
    changed(bans) {
      pending ??= { bans, cancel: clock.after(SAVE_DELAY_MS, () => void saveInTurn()) };
    },
    close: saveInTurn,
  };
}

/** Writes beside and renames, so that a crash leaves the last whole file. */
async function write(path: string, text: string): Promise<void> {
  const temporaryPath = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(join(path, ".."), { recursive: true });
    const file = await open(temporaryPath, "w", 0o600);
    try {
      await file.writeFile(text);
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
