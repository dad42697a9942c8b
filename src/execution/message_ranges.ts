/** Reads messages over many blocks, as many at once as the execution client answers. */
import { CodedError } from "../base/errors.ts";
import type { MessageSource, NumberedMessage } from "./message_source.ts";

/** Blocks whose logs are asked for at once; fewer where the execution client does not answer so many. */
const MAX_RANGE_BLOCKS = 2_000;

/** The client is there, but refuses so much at once. */
const ASKED_TOO_MUCH: ReadonlySet<string> = new Set(["EL_REFUSED", "EL_ANSWER_TOO_LARGE"]);

export interface MessageRange {
  readonly messages: NumberedMessage[];
  /** Height of the last block that was read. */
  readonly to: number;
}

export class MessageRanges {
  readonly #source: Pick<MessageSource, "getMessagesInRange">;
  #blocks = MAX_RANGE_BLOCKS;

  constructor(source: Pick<MessageSource, "getMessagesInRange">) {
    this.#source = source;
  }

  /** Messages from height `from` on, at most up to `to`, in order of index. @throws CodedError as the source. */
  async read(from: number, to: number): Promise<MessageRange> {
    for (;;) {
      const last = Math.min(from + this.#blocks - 1, to);
      try {
        const messages = await this.#source.getMessagesInRange(from, last);
        this.#blocks = Math.min(this.#blocks * 2, MAX_RANGE_BLOCKS);
        return { messages, to: last };
      } catch (error) {
        // Also after a timeout, which the caller tries again.
        this.#blocks = Math.max(Math.floor((last - from + 1) / 2), 1);
        if (last === from || !(error instanceof CodedError) || !ASKED_TOO_MUCH.has(error.code)) throw error;
      }
    }
  }
}
