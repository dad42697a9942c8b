/** What a route answers: expected failures are answers too, only bugs throw. */

export interface Answer {
  readonly status: number;
  /** JSON; none is sent where it is undefined. */
  readonly body?: unknown;
  /** JSON text instead, made as fast as the reader takes it. */
  readonly parts?: Iterable<string>;
}

/** One item of a list that was refused, in the Beacon API's form with a reason code beside it. */
export interface ItemFailure {
  /** Position in the request. */
  readonly index: number;
  readonly reason: string;
  /** Begins with the reason, for clients that show nothing else. */
  readonly message: string;
}

export function data(value: unknown, extra: Readonly<Record<string, unknown>> = {}): Answer {
  return { status: 200, body: { ...extra, data: value } };
}

export function failure(status: number, message: string, failures?: readonly ItemFailure[]): Answer {
  return { status, body: failures === undefined ? { code: status, message } : { code: status, message, failures } };
}
