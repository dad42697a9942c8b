/** JSON-RPC to an execution client that may be away, slow, or answer nonsense: never more than a `CodedError`. */
import { BaseError, http, ResponseBodyTooLargeError, RpcRequestError, TimeoutError } from "viem";
import { type ZodType, z } from "zod";
import { type Clock, sleep } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";

/** Longest wait for one answer: a block import waits for it, and slots last 2 s on a devnet. */
const DEFAULT_TIMEOUT_MS = 3_000;

/** Further attempts of a read that got no answer, so that one dropped connection does not count as "away". */
const MAX_READ_RETRIES = 2;
const READ_RETRY_DELAY_MS = 50;

/**
 * While the client is away, calls fail at once until the next one is let through: a dead or silent client must not
 * hold up every block for a timeout. The wait doubles between these bounds.
 */
const MIN_AWAY_MS = 100;
const MAX_AWAY_MS = 2_000;

/**
 * Losses are told at most this often: a client that gives good answers and nonsense in turn would fill the log. One that stays
 * away is told of with the first call after it.
 */
const MIN_LOSS_REPORT_INTERVAL_MS = 30_000;

/** Largest answer read: twice the logs of a full block, which takes a third of a second to parse. */
const MAX_ANSWER_SIZE_BYTES = 32 * 1024 * 1024;

/** Characters of a foreign error message that are repeated. */
const MAX_REASON_LENGTH = 200;

export interface JsonRpcOptions {
  readonly url: string;
  readonly timeoutMs?: number;
}

export interface JsonRpcDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of a loss and of the return after it, every half a minute at most; `reason` is empty on return. */
  readonly onAvailability?: (available: boolean, reason: string) => void;
}

/** Whether a call may be sent again when its answer got lost. */
export type CallKind = "read" | "write";

export class JsonRpc {
  readonly #transport: ReturnType<ReturnType<typeof http>>;
  readonly #url: string;
  readonly #deps: JsonRpcDeps;
  #lossReason: string | null = null;
  #awayMs = MIN_AWAY_MS;
  #nextTryMs = 0;
  /** Whether the last that was told is a loss. */
  #isLossTold = false;
  #lossToldMs = Number.NEGATIVE_INFINITY;

  constructor(options: JsonRpcOptions, deps: JsonRpcDeps) {
    this.#url = options.url;
    this.#deps = deps;
    this.#transport = http(options.url, {
      timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      retryCount: 0,
      maxResponseBodySize: MAX_ANSWER_SIZE_BYTES,
    })({});
  }

  /** False from the first call that got no sensible answer until the next one that does. */
  get isAvailable(): boolean {
    return this.#lossReason === null;
  }

  /**
   * @throws CodedError `EL_UNAVAILABLE`: no answer, or one that `schema` refuses.
   * @throws CodedError `EL_REFUSED`: a JSON-RPC error, its number in the field `rpcCode`.
   * @throws CodedError `EL_ANSWER_TOO_LARGE`: the client is there, but too much was asked for.
   */
  async request<T>(kind: CallKind, method: string, params: unknown[], schema: ZodType<T>): Promise<T> {
    if (this.#lossReason !== null && this.#deps.clock.monotonicMs() < this.#nextTryMs) throw this.#unavailable();
    const result = schema.safeParse(await this.#call(kind, method, params));
    if (!result.success) throw this.#lost(`its answer to ${method} makes no sense: ${z.prettifyError(result.error)}`);
    this.#answered();
    return result.data;
  }

  async #call(kind: CallKind, method: string, params: unknown[]): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#transport.request({ method, params });
      } catch (error) {
        const refusal = error instanceof BaseError ? error.walk((cause) => cause instanceof RpcRequestError) : null;
        if (refusal instanceof RpcRequestError) {
          this.#answered();
          const words = String(refusal.details).slice(0, MAX_REASON_LENGTH);
          throw new CodedError(
            "EL_REFUSED",
            `The execution client refused ${method}: ${words}`,
            { method, rpcCode: refusal.code, reason: words },
            error,
          );
        }
        if (isTooLarge(error)) {
          this.#answered();
          throw new CodedError(
            "EL_ANSWER_TOO_LARGE",
            `The answer to ${method} is too large to read`,
            { method },
            error,
          );
        }
        if (kind === "write" || !this.isAvailable || attempt >= MAX_READ_RETRIES || isTimeout(error)) {
          throw this.#lost(transportReason(error), error);
        }
        await sleep(this.#deps.clock, READ_RETRY_DELAY_MS * 2 ** attempt);
      }
    }
  }

  #answered(): void {
    this.#awayMs = MIN_AWAY_MS;
    this.#lossReason = null;
    if (!this.#isLossTold) return;
    this.#isLossTold = false;
    this.#deps.log.info({ url: this.#url }, "the execution client answers again");
    this.#deps.onAvailability?.(true, "");
  }

  #lost(reason: string, cause?: unknown): CodedError {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#lossReason = reason.slice(0, MAX_REASON_LENGTH);
    this.#nextTryMs = nowMs + this.#awayMs;
    this.#awayMs = Math.min(this.#awayMs * 2, MAX_AWAY_MS);
    if (!this.#isLossTold && nowMs - this.#lossToldMs >= MIN_LOSS_REPORT_INTERVAL_MS) {
      this.#isLossTold = true;
      this.#lossToldMs = nowMs;
      this.#deps.log.warn({ url: this.#url, reason: this.#lossReason }, "the execution client is away; trying on");
      this.#deps.onAvailability?.(false, this.#lossReason);
    }
    return this.#unavailable(cause);
  }

  #unavailable(cause?: unknown): CodedError {
    const reason = this.#lossReason ?? "";
    return new CodedError(
      "EL_UNAVAILABLE",
      `The execution client at ${this.#url} is not available: ${reason}. Check that it runs and that the URL is right`,
      { url: this.#url, reason },
      cause,
    );
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof BaseError && error.walk((cause) => cause instanceof TimeoutError) !== null;
}

function isTooLarge(error: unknown): boolean {
  return error instanceof BaseError && error.walk((cause) => cause instanceof ResponseBodyTooLargeError) !== null;
}

/** The innermost cause says it best ("connect ECONNREFUSED 127.0.0.1:8545"); viem's own words repeat the request. */
function transportReason(error: unknown): string {
  if (isTimeout(error)) return "it did not answer in time";
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner instanceof BaseError ? inner.details || inner.shortMessage : errorMessage(inner);
}
