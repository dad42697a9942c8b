/** What the execution client says of payloads, without ever failing: one that cannot be asked says SYNCING. */
import type { Clock } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { ExecutionPayload } from "../spec/types.ts";
import type { BuiltPayload, ExecutionEngine, PayloadAttributes, PayloadVerdict } from "../state/execution_engine.ts";
import type { SignedBlock } from "./block.ts";

/**
 * Import waits this long for the execution client, then goes on optimistically and takes the answer when it comes: a
 * hanging client must not hold up the queue of blocks.
 */
const ANSWER_TIMEOUT_MS = 1000;

export interface PendingVerdict {
  /** SYNCING at the latest after ANSWER_TIMEOUT_MS. */
  readonly inTime: Promise<PayloadVerdict>;
  /** The answer, whenever it comes. */
  readonly final: Promise<PayloadVerdict>;
}

export class PayloadVerifier {
  private readonly engine: ExecutionEngine;
  private readonly clock: Clock;
  private readonly logger: Logger;

  constructor(engine: ExecutionEngine, clock: Clock, logger: Logger) {
    this.engine = engine;
    this.clock = clock;
    this.logger = logger;
  }

  verify(signedBlock: SignedBlock): PendingVerdict {
    const { body, parentRoot } = signedBlock.message;
    const final = this.ask("notifyNewPayload", async () =>
      this.engine.notifyNewPayload(await this.withRoot(body.executionPayload), parentRoot),
    ).then((verdict) => verdict ?? { status: "SYNCING" as const, reason: "the execution client cannot answer" });
    const inTime = new Promise<PayloadVerdict>((resolve) => {
      const cancel = this.clock.after(ANSWER_TIMEOUT_MS, () =>
        resolve({ status: "SYNCING", reason: "the execution client is slow" }),
      );
      void final.then((verdict) => {
        cancel();
        resolve(verdict);
      });
    });
    return { inTime, final };
  }

  /** Null when the execution client cannot build now; `PARENT_LOST` when it does not know the parent. */
  build(parentHash: Uint8Array, attributes: PayloadAttributes): Promise<BuiltPayload | "PARENT_LOST" | null> {
    return this.ask("buildPayload", () =>
      this.engine.buildPayload(parentHash, attributes).catch((error: unknown) => {
        if (error instanceof CodedError && error.code === "PARENT_NOT_FOUND") return "PARENT_LOST" as const;
        throw error;
      }),
    );
  }

  async setForkchoice(head: Uint8Array, safe: Uint8Array, finalized: Uint8Array): Promise<void> {
    await this.ask("notifyForkchoiceUpdated", () => this.engine.notifyForkchoiceUpdated(head, safe, finalized));
  }

  /** Before the fork a payload claims no root: the execution client gets its own to compare with. */
  private async withRoot(payload: SignedBlock["message"]["body"]["executionPayload"]): Promise<ExecutionPayload> {
    if ("messageBusRoot" in payload) return payload;
    return { ...payload, messageBusRoot: await this.engine.getMessageRoot(payload.blockHash) };
  }

  /** Null on failure. That the client is away has been logged once, by its own connection. */
  private async ask<T>(call: string, run: () => Promise<T>): Promise<T | null> {
    try {
      return await run();
    } catch (error) {
      const isAway = error instanceof CodedError && error.code === "EL_UNAVAILABLE";
      if (!isAway) this.logger.info({ call, error: errorMessage(error) }, "Execution client declined");
      return null;
    }
  }
}
