/** One case of a vector tree: a directory of YAML and snappy-compressed SSZ files. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { CodedError, errorMessage } from "../../base/errors.ts";
import { decompressSnappyBlock, readDeclaredSize } from "../../validation/snappy_block.ts";

/** What a file may hold, compressed or not: above any mainnet state, below what would exhaust a worker. */
const MAX_FILE_BYTES = 512 * 1024 * 1024;

const DATA_FILE = /\.(ssz_snappy|yaml)$/;
/** It may hold nothing but words for the reader. */
const DESCRIPTION_FILE = "meta.yaml";

/**
 * YAML as it stands: every scalar is a string, because uint64s exceed what a number holds. `description: 'a: 2'` gives
 * `{description: "a: 2"}`, `valid: true` gives `{valid: "true"}`.
 */
export type Yaml = string | Yaml[] | { [key: string]: Yaml };

/** Every read throws a `CodedError` (`BAD_VECTOR`) that names the file and what is wrong with it. */
export class CaseDir {
  readonly preset: string;
  readonly runner: string;
  readonly handler: string;
  readonly #dir: string;
  readonly #read = new Set<string>();

  constructor(dir: string, id: { preset: string; runner: string; handler: string }) {
    this.#dir = dir;
    this.preset = id.preset;
    this.runner = id.runner;
    this.handler = id.handler;
  }

  has(file: string): boolean {
    return existsSync(join(this.#dir, file));
  }

  /** The bytes of a snappy block file, decompressed. */
  readSsz(file: string): Uint8Array {
    const compressed = this.readRaw(file);
    const size = readDeclaredSize(compressed);
    if (size !== null && size > MAX_FILE_BYTES) {
      throw badVector(file, `declares ${size} bytes, more than ${MAX_FILE_BYTES}`);
    }
    const bytes = decompressSnappyBlock(compressed);
    if (bytes === null) throw badVector(file, `is no snappy block (${compressed.length} bytes)`);
    return bytes;
  }

  /** The bytes of a file as they are. */
  readRaw(file: string): Buffer {
    this.#read.add(file);
    const path = join(this.#dir, file);
    try {
      const { size } = statSync(path);
      if (size > MAX_FILE_BYTES) throw badVector(file, `has ${size} bytes, more than ${MAX_FILE_BYTES}`);
      return readFileSync(path);
    } catch (error) {
      if (error instanceof CodedError) throw error;
      const { code } = error as NodeJS.ErrnoException;
      throw badVector(file, READ_PROBLEMS[code ?? ""] ?? errorMessage(error), error);
    }
  }

  readYaml(file: string): Yaml {
    try {
      return parse(this.readRaw(file).toString("utf8"), { schema: "failsafe" }) as Yaml;
    } catch (error) {
      if (error instanceof CodedError) throw error;
      throw badVector(file, `is no YAML: ${errorMessage(error)}`, error);
    }
  }

  /** A YAML file that holds a map. */
  readYamlMap(file: string): { [key: string]: Yaml } {
    return asMap(this.readYaml(file), file);
  }

  /** Data files that nothing has read yet, in order: a case that holds one says more than was checked. */
  unreadFiles(): string[] {
    return readdirSync(this.#dir)
      .filter((file) => DATA_FILE.test(file) && file !== DESCRIPTION_FILE && !this.#read.has(file))
      .sort();
  }

  /** A decimal integer of `meta.yaml`, such as `blocks_count`. */
  readMetaCount(key: string): number {
    return Number(asUint(this.readYamlMap("meta.yaml")[key], `${key} in meta.yaml`));
  }
}

const READ_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "is missing",
  ELOOP: "is a symlink loop",
  EISDIR: "is a directory",
  EACCES: "may not be read",
};

export function badVector(what: string, problem: string, cause?: unknown): CodedError {
  return new CodedError("BAD_VECTOR", `${what} ${problem}`, { file: what }, cause);
}

export function asMap(value: Yaml | undefined, what: string): { [key: string]: Yaml } {
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw badVector(what, "is no map");
  return value;
}

export function asList(value: Yaml | undefined, what: string): Yaml[] {
  if (!Array.isArray(value)) throw badVector(what, "is no list");
  return value;
}

export function asText(value: Yaml | undefined, what: string): string {
  if (typeof value !== "string") throw badVector(what, "is missing or no scalar");
  return value;
}

export function asUint(value: Yaml | undefined, what: string): bigint {
  const text = asText(value, what);
  if (!/^\d+$/.test(text)) throw badVector(what, `is no unsigned integer: ${text}`);
  return BigInt(text);
}

export function asBoolean(value: Yaml | undefined, what: string): boolean {
  const text = asText(value, what);
  if (text !== "true" && text !== "false") throw badVector(what, `is neither true nor false: ${text}`);
  return text === "true";
}

/** Bytes of `0x…`; of any length where `sizeBytes` is not given. */
export function asBytes(value: Yaml | undefined, what: string, sizeBytes?: number): Uint8Array {
  const text = asText(value, what);
  if (!/^0x([0-9a-fA-F]{2})*$/.test(text)) throw badVector(what, `is no hex: ${text}`);
  const bytes = new Uint8Array(Buffer.from(text.slice(2), "hex"));
  if (sizeBytes !== undefined && bytes.length !== sizeBytes) {
    throw badVector(what, `has ${bytes.length} bytes, not ${sizeBytes}`);
  }
  return bytes;
}
