/** Parsers of option values: each returns a checked value, or throws a usage error that says how to write it. */
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { InvalidArgumentError, Option } from "commander";
import { LOG_LEVELS, type LogLevel } from "../base/log.ts";

/** `0x` and lower-case digits. */
export type Hex = `0x${string}`;

/** Indices that one range list may name: a typo such as 0..1e9 must not fill the memory. */
const MAX_RANGE_INDICES = 1_000_000;

/** Seconds that an option may ask for: a year, so that milliseconds stay exact and timers sane. */
const MAX_SECONDS = 31_536_000;

function integer(value: string, min: number, max: number, hint: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < min || number > max) throw new InvalidArgumentError(hint);
  return number;
}

export function parsePositiveInteger(value: string): number {
  return integer(value, 1, Number.MAX_SAFE_INTEGER, "It must be a whole number from 1, such as 4.");
}

export function parseNonNegativeInteger(value: string): number {
  return integer(value, 0, Number.MAX_SAFE_INTEGER, "It must be a whole number from 0, such as 0 or 42.");
}

/** A parser whose number must lie between two, both allowed. */
export function bounded(parse: (value: string) => number, min: number, max: number): (value: string) => number {
  return (value) => {
    const number = parse(value);
    if (!(number >= min && number <= max)) throw new InvalidArgumentError(`It must be from ${min} to ${max}.`);
    return number;
  };
}

/** A TCP port; 0 lets the system choose. */
export function parsePort(value: string): number {
  return integer(value, 0, 65_535, "It must be a port from 0 to 65535; 0 takes any free one.");
}

/** Seconds on the command line, fractions allowed; milliseconds in the program. */
export function parseSecondsToMs(value: string): number {
  const seconds = Number(value);
  if (!/^\d+(\.\d+)?$/.test(value) || seconds > MAX_SECONDS) {
    throw new InvalidArgumentError(`It must be a number of seconds up to ${MAX_SECONDS}, such as 2 or 0.5.`);
  }
  return Math.round(seconds * 1000);
}

/** Like `parseSecondsToMs`, but more than zero. */
export function parsePositiveSecondsToMs(value: string): number {
  const ms = parseSecondsToMs(value);
  if (ms === 0) throw new InvalidArgumentError("It must be more than zero seconds, such as 2 or 0.5.");
  return ms;
}

/** A parser of `sizeBytes` bytes of hex. */
export function parseHex(sizeBytes: number): (value: string) => Hex {
  return (value) => {
    if (!/^0x[0-9a-fA-F]*$/.test(value)) {
      throw new InvalidArgumentError(`It must be hex that begins with 0x (${sizeBytes} bytes).`);
    }
    const digits = value.length - 2;
    if (digits !== sizeBytes * 2) {
      throw new InvalidArgumentError(
        `It must be ${sizeBytes} bytes, 0x and ${sizeBytes * 2} digits; this has ${digits} digits.`,
      );
    }
    return `0x${value.slice(2).toLowerCase()}`;
  };
}

/** An absolute http or https URL, as given. */
export function parseHttpUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new InvalidArgumentError("It must be an http or https URL, such as http://127.0.0.1:8545.");
  }
  return value;
}

/** A multiaddr, as given. */
export function parseMultiaddr(value: string): string {
  if (!isMultiaddr(value)) throw new InvalidArgumentError("It must be a multiaddr, such as /ip4/127.0.0.1/tcp/9000.");
  return value;
}

function isMultiaddr(text: string): boolean {
  try {
    return multiaddr(text).getComponents().length > 0;
  } catch {
    return false;
  }
}

/** A libp2p peer id in its text form, as given. */
export function parsePeerId(value: string): string {
  try {
    return peerIdFromString(value).toString();
  } catch {
    throw new InvalidArgumentError("It must be a peer id, such as 16Uiu2HA… or 12D3Koo….");
  }
}

/** As `Host` has it, without the port. */
export function parseHostName(value: string): string {
  if (!/^[a-z\d]([a-z\d.-]*[a-z\d])?$/i.test(value)) {
    throw new InvalidArgumentError("It must be a name alone, such as node.example.org: no scheme, no port.");
  }
  return value;
}

/** `0..15,20` (both ends included) as ascending indices without repeats. */
export function parseIndexRanges(value: string): number[] {
  const indices = new Set<number>();
  for (const part of value.split(",")) {
    const match = /^(\d{1,15})(?:\.\.(\d{1,15}))?$/.exec(part.trim());
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match === null || to < from) {
      throw new InvalidArgumentError(
        `"${part.trim()}" is no index or ascending range: write indices and ranges such as 0..15,20.`,
      );
    }
    if (indices.size + (to - from) >= MAX_RANGE_INDICES) {
      throw new InvalidArgumentError(`It must name no more than ${MAX_RANGE_INDICES} indices.`);
    }
    for (let index = from; index <= to; index++) indices.add(index);
  }
  return [...indices].sort((a, b) => a - b);
}

/** Makes a parser collect the values of an option that may be given several times. */
export function repeatable<T>(parse: (value: string) => T): (value: string, previous: T[] | undefined) => T[] {
  return (value, previous = []) => [...previous, parse(value)];
}

/** An option in seconds that the program gets in milliseconds; its help shows the default as it is written. */
export function secondsOption(
  flags: string,
  description: string,
  defaultSeconds: number,
  parse: (value: string) => number = parsePositiveSecondsToMs,
): Option {
  return new Option(flags, description).argParser(parse).default(defaultSeconds * 1000, String(defaultSeconds));
}

/** `--json`, the same on every command. */
export function jsonOption(): Option {
  return new Option("--json", "print events as NDJSON on stdout, one object a line").default(false);
}

/** `--log-level`, the same on every command. */
export function logLevelOption(defaultLevel: LogLevel = "warn"): Option {
  return new Option("--log-level <level>", "least severity logged, on stderr")
    .choices(LOG_LEVELS)
    .default(defaultLevel);
}
