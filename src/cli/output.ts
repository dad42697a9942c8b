/** What a command says on stdout: a line for people, or NDJSON events for programs. Logs go to stderr. */
import { styleText } from "node:util";
import type { Clock } from "../base/clock.ts";

/** Bigints are written as decimal strings, byte arrays as 0x-hex. */
export type EventFields = Readonly<Record<string, unknown>>;

/** Says what happened in the form that the reader asked for: the fields to programs, the line to people. */
export interface Output {
  event(name: string, fields: EventFields, line: string): void;
}

export type Colour = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Only the part of a stream that is written to, so that tests can listen. */
export type OutputStream = Pick<NodeJS.WriteStream, "write">;

/** Colours for stdout: off when it is piped or NO_COLOR is set. */
export function colour(format: Colour, text: string): string {
  return styleText(format, text, { stream: process.stdout });
}

/** One JSON object a line, each with `event` and `time` (Unix ms). */
export function createJsonOutput(clock: Pick<Clock, "nowMs">, stream: OutputStream = process.stdout): Output {
  return {
    event(name, fields) {
      stream.write(`${JSON.stringify({ event: name, time: Math.floor(clock.nowMs()), ...fields }, jsonValue)}\n`);
    },
  };
}

export function createHumanOutput(stream: OutputStream = process.stdout): Output {
  return {
    event(_name, _fields, line) {
      stream.write(`${line}\n`);
    },
  };
}

/** As `--json` asks for it, on stdout. */
export function outputOf({ json }: { readonly json: boolean }, clock: Pick<Clock, "nowMs">): Output {
  return json ? createJsonOutput(clock) : createHumanOutput();
}

/** Looks at the holder's own value: a Buffer has been through its toJSON when it comes here as `value`. */
function jsonValue(this: Record<string, unknown>, key: string, value: unknown): unknown {
  const own = this[key];
  if (typeof own === "bigint") return own.toString();
  if (own instanceof Uint8Array) return `0x${Buffer.from(own).toString("hex")}`;
  return value;
}
