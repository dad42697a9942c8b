/** Operations that a user vouches for: SSZ, a snappy block of it, or the JSON that `msgbus prove` writes. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../spec/constants.ts";
import { TriggeredExit } from "../../spec/types.ts";
import { decompressSnappyBlock, readDeclaredSize } from "../../validation/snappy_block.ts";

/** Files of a directory that are read; what comes on top is passed over. */
const MAX_OPERATIONS = 100_000;

/** @param path a file, or a directory of files. Throws a `CodedError` `VALID_UNREADABLE`. */
export async function readValidOperations(path: string): Promise<Uint8Array[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [parseOperation(path, await readFile(path))];
    const names = (await readdir(path)).sort().slice(0, MAX_OPERATIONS);
    return await Promise.all(
      names.map(async (name) => parseOperation(join(path, name), await readFile(join(path, name)))),
    );
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw new CodedError("VALID_UNREADABLE", `Cannot read ${path}: ${errorMessage(error)}`, { path }, error);
  }
}

function parseOperation(file: string, bytes: Uint8Array): Uint8Array {
  const ssz = file.endsWith(".json") ? fromJson(bytes) : fromBinary(bytes);
  if (ssz !== null) return ssz;
  throw new CodedError(
    "VALID_UNREADABLE",
    `${file} holds no triggered exit: give SSZ (${TRIGGERED_EXIT_SIZE_BYTES} bytes), ssz_snappy, or JSON as "msgbus prove" writes it`,
    { file },
  );
}

function fromBinary(bytes: Uint8Array): Uint8Array | null {
  if (bytes.length === TRIGGERED_EXIT_SIZE_BYTES) return new Uint8Array(bytes);
  if (readDeclaredSize(bytes) !== TRIGGERED_EXIT_SIZE_BYTES) return null;
  return decompressSnappyBlock(bytes);
}

function fromJson(bytes: Uint8Array): Uint8Array | null {
  try {
    return TriggeredExit.serialize(TriggeredExit.fromJson(JSON.parse(new TextDecoder().decode(bytes))));
  } catch {
    return null;
  }
}
