/** Where a devnet keeps its network, data and logs. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { makeDirectory } from "../../base/files.ts";

/**
 * The directory asked for, which must be empty or new; null makes a temporary one, which goes with the resources.
 *
 * @throws CodedError `DIR_UNWRITABLE`, `DIR_NOT_EMPTY`.
 */
export async function makeDevnetDir(dir: string | null, resources: AsyncDisposableStack): Promise<string> {
  if (dir === null) {
    const temporary = await mkdtemp(join(tmpdir(), "msgbus-devnet-"));
    resources.defer(() => rm(temporary, { recursive: true, force: true }));
    return temporary;
  }
  try {
    await makeDirectory(dir);
    if ((await readdir(dir)).length === 0) return dir;
  } catch (error) {
    throw new CodedError(
      "DIR_UNWRITABLE",
      `Cannot use ${dir} (${errorMessage(error)}): give --dir an empty or new directory that may be written`,
      { dir },
      error,
    );
  }
  throw new CodedError("DIR_NOT_EMPTY", `${dir} is not empty: choose another --dir, or empty it first`, { dir });
}
