/** What the execution client says of payloads, without ever failing: one that cannot be asked says SYNCING. */
import { isZero } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { ExecutionPayload } from "../spec/types.ts";
import type { BuiltPayload, ExecutionEngine, PayloadAttributes, PayloadVerdict } from "../state/execution_engine.ts";
import type { PayloadRef, SignedBlock } from "./block.ts";
import { toRootHex } from "./root_hex.ts";

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

export interface PayloadVerifierDeps {
  readonly engine: ExecutionEngine;
  /** The payload of the finalized block. */
  readonly finalized: () => PayloadRef;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class PayloadVerifier {
  private readonly engine: ExecutionEngine;
  private readonly finalized: () => PayloadRef;
  private readonly clock: Clock;
  private readonly logger: Logger;
  /** The finalized payload whose root the client confirmed last. */
  private confirmed: PayloadRef | null = null;
  private contradictionTold = false;

  constructor({ engine, finalized, clock, logger }: PayloadVerifierDeps) {
    this.engine = engine;
    this.finalized = finalized;
    this.clock = clock;
    this.logger = logger;
  }

  /**
   * Whether the client has another root than the finalized block for that very execution block: it looks at another
   * contract than the network does, so neither its yes nor its no tells anything of a payload. One that does not know the
   * block contradicts nothing. Asked once for each finalized block, and told once.
   * @spec specs/message-bus/beacon-chain.md#optimistic-import
   */
  async contradictsFinality(): Promise<boolean> {
    const payload = this.finalized();
    // Before the fork a payload claims no root.
    if (payload === this.confirmed || isZero(payload.messageBusRoot)) return false;
    const root = await this.rootOrProblem(payload.blockHash);
    if (root === null) return false;
    const found = typeof root === "string" ? root : toRootHex(root);
    const expected = toRootHex(payload.messageBusRoot);
    if (found === expected) {
      this.confirmed = payload;
      return false;
    }
    if (!this.contradictionTold) {
      this.contradictionTold = true;
      this.logger.error(
        { code: "EL_CONTRADICTS_FINALITY", blockNumber: payload.blockNumber, expected, found },
        "The execution client contradicts the finalized message bus root: it is not asked about payloads, and this node" +
          " verifies and builds none. Check MESSAGE_BUS_CONTRACT_ADDRESS in the network's config.yaml, and the client",
      );
    }
    return true;
  }

  /** What is wrong where no contract answers at the address; null where the client cannot tell. */
  private async rootOrProblem(blockHash: Uint8Array): Promise<Uint8Array | string | null> {
    try {
      return await this.engine.getMessageRoot(blockHash);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return error.code === "NO_CONTRACT" ? error.message : null;
    }
  }

  verify(signedBlock: SignedBlock): PendingVerdict {
    const { body, parentRoot } = signedBlock.message;
    const final = this.ask("notifyNewPayload", async () =>
      (await this.contradictsFinality())
        ? { status: "SYNCING" as const, reason: "the execution client contradicts finality" }
        : this.engine.notifyNewPayload(await this.withRoot(body.executionPayload), parentRoot),
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
    return this.ask("buildPayload", async () => {
      if (await this.contradictsFinality()) return null;
      return this.engine.buildPayload(parentHash, attributes).catch((error: unknown) => {
        if (error instanceof CodedError && error.code === "PARENT_NOT_FOUND") return "PARENT_LOST" as const;
        throw error;
      });
    });
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
