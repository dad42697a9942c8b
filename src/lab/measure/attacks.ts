/** Attacks of the fuzz catalogue on a node of a measured network. */
import { CodedError } from "../../base/errors.ts";
import { CATALOGUE } from "../fuzz/catalogue.ts";

export interface MeasuredAttack {
  readonly name: string;
  /** From the first counted publication. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Of one run: each floods from a process that they share. */
export const MAX_ATTACKS = 8;
/** Where no end is given. */
const DEFAULT_DURATION_MS = 10_000;
const MAX_MS = 86_400_000;

/** `NAME@FROM` or `NAME@FROM..TO`, in seconds. Throws a `CodedError`: `BAD_ATTACK`, `UNKNOWN_ATTACK`. */
export function parseAttack(text: string): MeasuredAttack {
  const [, name = "", from = "", to] = /^([a-z0-9-]+)@(\d+(?:\.\d+)?)(?:\.\.(\d+(?:\.\d+)?))?$/.exec(text) ?? [];
  const fromMs = Math.round(Number(from) * 1000);
  const toMs = to === undefined ? fromMs + DEFAULT_DURATION_MS : Math.round(Number(to) * 1000);
  if (name === "" || toMs <= fromMs || toMs > MAX_MS) {
    throw new CodedError(
      "BAD_ATTACK",
      `"${text}" is no attack: write NAME@FROM or NAME@FROM..TO, such as mutation@5..15`,
      {
        text,
      },
    );
  }
  if (!CATALOGUE.some((attack) => attack.name === name)) {
    throw new CodedError("UNKNOWN_ATTACK", `There is no attack "${name}": "msgbus fuzz --list" shows them all`, {
      name,
    });
  }
  return { name, fromMs, toMs };
}

export function formatAttack({ name, fromMs, toMs }: MeasuredAttack): string {
  return `${name}@${fromMs / 1000}..${toMs / 1000}`;
}

/** Throws a `CodedError` `BAD_ATTACK` where one begins when all messages are published. */
export function assertWithin(attacks: readonly MeasuredAttack[], publishingMs: number): void {
  const late = attacks.find(({ fromMs }) => fromMs >= publishingMs);
  if (late === undefined) return;
  const seconds = (publishingMs / 1000).toFixed(1);
  throw new CodedError(
    "BAD_ATTACK",
    `${formatAttack(late)} begins after the last message, at ${seconds} s: give more --messages, or begin earlier`,
    { name: late.name },
  );
}
