import { destination, type Logger as PinoLogger, pino, stdTimeFunctions } from "pino";

export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Structured log lines: fields first, then the sentence. */
export type Logger = Pick<PinoLogger, "error" | "warn" | "info" | "debug" | "trace"> & {
  child(bindings: Record<string, unknown>): Logger;
};

/** A logger that writes NDJSON to stderr, so that stdout belongs to results and events. */
export function createLogger(level: LogLevel, bindings: Record<string, unknown> = {}): Logger {
  return pino({ level, base: bindings, timestamp: stdTimeFunctions.epochTime }, destination({ fd: 2, sync: true }));
}

/** Swallows everything; for tests and tools that print their own account. */
export const silentLogger: Logger = createLogger("silent");
