/**
 * A network's `config.yaml`, in the ecosystem's form: one UPPER_SNAKE key a line, hex and integers plain, 2**64 - 1 for
 * "never". Keys that no client of this fork knows are left alone.
 */
import { type BlobScheduleEntry, type ChainConfig, chainConfigTypes, createChainConfig } from "@lodestar/config";
import { ACTIVE_PRESET } from "@lodestar/params";
import { parse } from "yaml";
import { CodedError, errorMessage } from "../base/errors.ts";
import { DEFAULT_MESSAGE_BUS_PARAMETERS, type MessageBusParameters, type NetworkConfig } from "./config.ts";

type ValueType = (typeof chainConfigTypes)[keyof typeof chainConfigTypes];
type Value = ChainConfig[keyof ChainConfig];

const messageBusTypes = {
  MESSAGE_BUS_FORK_EPOCH: "number",
  MESSAGE_BUS_FORK_VERSION: "bytes",
  MESSAGE_BUS_CONTRACT_ADDRESS: "bytes",
} as const satisfies Record<keyof MessageBusParameters, ValueType>;

/** FAR_FUTURE_EPOCH, which a number holds as Infinity. */
const FAR_FUTURE = 2n ** 64n - 1n;

/**
 * Reads the file's text. Keys that are missing keep the preset's values, those of the message bus
 * `DEFAULT_MESSAGE_BUS_PARAMETERS`.
 * Throws a `CodedError`: `BAD_CONFIG` that names the key and what it must be, or `WRONG_PRESET`.
 */
export function parseNetworkConfig(text: string): NetworkConfig {
  const entries = parseEntries(text);
  const preset = entries.PRESET_BASE;
  if (preset !== ACTIVE_PRESET) {
    throw new CodedError("WRONG_PRESET", `PRESET_BASE is ${preset}, and this process runs with ${ACTIVE_PRESET}`, {
      expected: ACTIVE_PRESET,
      found: String(preset),
    });
  }
  const chain = readKeys<Partial<ChainConfig>>(entries, chainConfigTypes, createChainConfig({}));
  assertOneSlotDuration(chain);
  return {
    chain,
    messageBus: {
      ...DEFAULT_MESSAGE_BUS_PARAMETERS,
      ...readKeys<Partial<MessageBusParameters>>(entries, messageBusTypes, DEFAULT_MESSAGE_BUS_PARAMETERS),
    },
  };
}

/** The text of a file that `parseNetworkConfig` reads back: all values, the preset's among them. */
export function formatNetworkConfig({ chain, messageBus }: NetworkConfig): string {
  const values = createChainConfig(chain);
  const lines: string[] = [];
  for (const key of Object.keys(chainConfigTypes) as (keyof ChainConfig)[]) lines.push(formatEntry(key, values[key]));
  for (const key of Object.keys(messageBusTypes) as (keyof MessageBusParameters)[]) {
    lines.push(formatEntry(key, messageBus[key]));
  }
  return `${lines.join("\n")}\n`;
}

/** The second supersedes the first, so an edit of the first alone would be lost in silence. */
function assertOneSlotDuration({ SECONDS_PER_SLOT, SLOT_DURATION_MS }: Partial<ChainConfig>): void {
  if (SECONDS_PER_SLOT === undefined || SLOT_DURATION_MS === undefined) return;
  if (SECONDS_PER_SLOT * 1000 === SLOT_DURATION_MS) return;
  throw new CodedError(
    "BAD_CONFIG",
    `SLOT_DURATION_MS is ${SLOT_DURATION_MS} and SECONDS_PER_SLOT is ${SECONDS_PER_SLOT}: they must agree, or drop one`,
    { key: "SLOT_DURATION_MS" },
  );
}

function parseEntries(text: string): Record<string, unknown> {
  let entries: unknown;
  try {
    // Every scalar stays text: versions and uint64s are no JavaScript numbers.
    entries = parse(text, { schema: "failsafe" });
  } catch (error) {
    throw new CodedError("BAD_CONFIG", `The network's configuration is no YAML: ${errorMessage(error)}`, {}, error);
  }
  if (typeof entries !== "object" || entries === null || Array.isArray(entries)) {
    throw new CodedError("BAD_CONFIG", "The network's configuration must be a list of KEY: value lines");
  }
  return entries as Record<string, unknown>;
}

function readKeys<T>(
  entries: Record<string, unknown>,
  types: Readonly<Record<string, ValueType>>,
  defaults: Readonly<Record<string, Value>>,
): T {
  const read: Record<string, Value> = {};
  for (const [key, type] of Object.entries(types)) {
    const entry = Object.hasOwn(entries, key) ? entries[key] : undefined;
    if (entry !== undefined) read[key] = readValue(key, entry, type, defaults[key]);
  }
  return read as T;
}

function readValue(key: string, entry: unknown, type: ValueType, standard: Value | undefined): Value {
  if (type === "blob_schedule") return readBlobSchedule(key, entry);
  if (typeof entry !== "string") throw badValue(key, "one value", entry);
  switch (type) {
    case "number":
      return readNumber(key, entry);
    case "bigint":
      if (!/^\d+$/.test(entry)) throw badValue(key, "an unsigned integer", entry);
      return BigInt(entry);
    case "bytes":
      return readBytes(key, entry, standard instanceof Uint8Array ? standard.length : 0);
    case "string":
      return entry;
  }
}

function readNumber(key: string, entry: unknown): number {
  if (typeof entry !== "string" || !/^\d+$/.test(entry)) throw badValue(key, "an unsigned integer", entry);
  const value = BigInt(entry);
  if (value === FAR_FUTURE) return Number.POSITIVE_INFINITY;
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw badValue(key, "at most 2**53 - 1, or 2**64 - 1", entry);
  return Number(value);
}

function readBytes(key: string, entry: string, sizeBytes: number): Uint8Array {
  if (!/^0x[0-9a-fA-F]*$/.test(entry) || entry.length !== 2 + 2 * sizeBytes) {
    throw badValue(key, `0x and ${2 * sizeBytes} hex digits`, entry);
  }
  return new Uint8Array(Buffer.from(entry.slice(2), "hex"));
}

function readBlobSchedule(key: string, entry: unknown): BlobScheduleEntry[] {
  if (!Array.isArray(entry)) throw badValue(key, "a list of EPOCH and MAX_BLOBS_PER_BLOCK", entry);
  return entry.map((item: Record<string, unknown> | null, i) => ({
    EPOCH: readNumber(`${key}[${i}].EPOCH`, item?.EPOCH),
    MAX_BLOBS_PER_BLOCK: readNumber(`${key}[${i}].MAX_BLOBS_PER_BLOCK`, item?.MAX_BLOBS_PER_BLOCK),
  }));
}

function formatEntry(key: string, value: Value): string {
  if (!Array.isArray(value)) return `${key}: ${formatValue(value)}`;
  const items = value.map(
    ({ EPOCH, MAX_BLOBS_PER_BLOCK }) =>
      `\n  - EPOCH: ${formatValue(EPOCH)}\n    MAX_BLOBS_PER_BLOCK: ${formatValue(MAX_BLOBS_PER_BLOCK)}`,
  );
  return `${key}:${items.length === 0 ? " []" : items.join("")}`;
}

function formatValue(value: Exclude<Value, unknown[]>): string {
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString("hex")}`;
  return value === Number.POSITIVE_INFINITY ? FAR_FUTURE.toString() : value.toString();
}

function badValue(key: string, expected: string, found: unknown): CodedError {
  const shown = typeof found === "string" ? found : JSON.stringify(found);
  return new CodedError("BAD_CONFIG", `${key} must be ${expected}, not ${shown}`, { key });
}
