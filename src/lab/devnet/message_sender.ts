/** Sends the devnet's messages to the contract, each from its development account. */
import { toHex } from "@lodestar/utils";
import { type Clock, sleep } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { type SentMessage, sendMessage } from "../../execution/contract.ts";
import { TRIGGERED_EXIT_TYPE } from "../../execution/form.ts";
import { anvilAccount } from "../anvil.ts";
import type { DevnetEvent, SpecimenKind } from "./events.ts";
import type { PlannedMessage } from "./scenario.ts";

/** Blocks hold some 75 messages each: those of a thousand exits wait for 15 of them, and for slots without a block. */
const SEND_TIMEOUT_MS = 120_000;

/** Where the execution client answers too late, as it may under a thousand messages at once; nothing is sent then. */
const MAX_ATTEMPTS = 5;
const RETRY_DELAY_MS = 1_000;

export interface MessageSenderDeps {
  readonly elUrl: string;
  readonly contract: `0x${string}`;
  readonly clock: Clock;
  onSent(event: Extract<DevnetEvent, { event: "message_sent" }>): void;
}

export class MessageSender {
  readonly #deps: MessageSenderDeps;
  /** By account, of which there are a few: settles when its last transaction is in the pool. */
  readonly #inPool = new Map<number, Promise<void>>();

  constructor(deps: MessageSenderDeps) {
    this.#deps = deps;
  }

  /** Waits for the message's block. One account's transactions enter the pool one after another: each takes the next nonce. */
  async send(kind: SpecimenKind, { account, pubkey, validatorIndex }: PlannedMessage): Promise<SentMessage> {
    const { elUrl, contract, clock, onSent } = this.#deps;
    const { privateKey, address } = anvilAccount(account);
    const inPool = Promise.withResolvers<void>();
    const before = this.#inPool.get(account);
    this.#inPool.set(account, inPool.promise);
    await before;
    try {
      const sent = await this.#patiently(() =>
        sendMessage(
          elUrl,
          privateKey,
          contract,
          { messageType: TRIGGERED_EXIT_TYPE, payload: pubkey },
          { clock, timeoutMs: SEND_TIMEOUT_MS, onSent: () => inPool.resolve() },
        ),
      );
      onSent({
        event: "message_sent",
        kind,
        validatorIndex,
        pubkey: toHex(pubkey),
        sender: address,
        transactionHash: sent.transactionHash,
        blockNumber: sent.blockNumber,
        messageIndex: sent.index.toString(),
      });
      return sent;
    } finally {
      inPool.resolve();
    }
  }

  async #patiently<T>(send: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await send();
      } catch (error) {
        const isAway = error instanceof CodedError && error.code === "EL_UNAVAILABLE";
        if (!isAway || attempt >= MAX_ATTEMPTS) throw error;
      }
      await sleep(this.#deps.clock, RETRY_DELAY_MS);
    }
  }
}
