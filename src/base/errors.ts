/** What an error tells besides its sentence; must survive JSON. */
export type ErrorFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * An expected kind of failure (bad input, an unreachable peer, a broken file) with a closed code and its fields.
 * Its message says what is wrong and what to do, so that a command can print it without a stack.
 */
export class CodedError extends Error {
  readonly code: string;
  readonly fields: ErrorFields;

  constructor(code: string, message: string, fields: ErrorFields = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "CodedError";
    this.code = code;
    this.fields = fields;
  }
}

/** The innermost sentence of an unknown throw, for logs. */
export function errorMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${errorMessage(error.cause)}` : error.message;
}
