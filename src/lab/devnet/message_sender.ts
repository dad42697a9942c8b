/** Sends the devnet's messages to the contract, each from its development account. */
import { toHex } from "@lodestar/utils";
import { type Clock, sleep } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { type SentMessage, sendMessage } from "../../execution/contract.ts";
import { TRIGGERED_EXIT_TYPE } from "../../execution/form.ts";
import { anvilAccount } from "../anvil.ts";
import type { DevnetEvent, SpecimenKind } from "./events.ts";
import type { PlannedMessage } from "./scenario.ts";

/** For slots without a block, and blocks that are full. */
const SEND_TIMEOUT_MS = 120_000;

/** Each message on its way asks this often whether it has come in; at 200 of them anvil hardly feels it. */
const POLL_MS = 500;

/** Sent at once by `sendAll`; more would leave the nodes' execution client no time for their blocks. */
const MAX_SENDING = 200;

/** Where the client is late or refuses, as it does in the moment in which a node takes blocks back. */
const MAX_ATTEMPTS = 5;
const RETRY_DELAY_MS = 1_000;

/** What was sent must not be sent twice. */
const FINAL_FAILURES: ReadonlySet<string> = new Set(["TRANSACTION_PENDING", "TRANSACTION_REVERTED", "INTERRUPTED"]);

export interface MessageSenderDeps {
  readonly elUrl: string;
  readonly contract: `0x${string}`;
  readonly clock: Clock;
  /** Ends all sending. */
  readonly signal: AbortSignal;
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
    const { elUrl, contract, clock, signal, onSent } = this.#deps;
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
          { clock, signal, timeoutMs: SEND_TIMEOUT_MS, pollMs: POLL_MS, onSent: () => inPool.resolve() },
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

  /** In order of the messages; `onSending` is told as each one's turn comes. */
  async sendAll(
    kind: SpecimenKind,
    messages: readonly PlannedMessage[],
    onSending: (message: PlannedMessage) => void,
  ): Promise<SentMessage[]> {
    const sent: SentMessage[] = [];
    const queue = messages.entries();
    const sendInTurn = async () => {
      for (const [i, message] of queue) {
        if (this.#deps.signal.aborted) return;
        onSending(message);
        sent[i] = await this.send(kind, message);
      }
    };
    await Promise.all(Array.from({ length: MAX_SENDING }, sendInTurn));
    return sent;
  }

  async #patiently<T>(send: () => Promise<T>): Promise<T> {
    const { clock, signal } = this.#deps;
    for (let attempt = 1; ; attempt++) {
      try {
        return await send();
      } catch (error) {
        const mayPass = error instanceof CodedError && !FINAL_FAILURES.has(error.code);
        if (!mayPass || signal.aborted || attempt >= MAX_ATTEMPTS) throw error;
      }
      await sleep(clock, RETRY_DELAY_MS, signal);
    }
  }
}
