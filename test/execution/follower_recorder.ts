/** A follower that writes down what it tells. */
import { bytesToHex } from "viem";
import { systemClock } from "../../src/base/clock.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { MessageFollower, type MessageOrigin } from "../../src/execution/follower.ts";
import type { MessageSource } from "../../src/execution/message_source.ts";
import { TriggeredExit } from "../../src/spec/types.ts";

export const DEADLINE_MS = 60_000;

interface Formed {
  readonly bytes: string;
  readonly operation: TriggeredExit;
  readonly origin: MessageOrigin;
}

export class Recorder {
  readonly formed: Formed[] = [];
  readonly messages: MessageOrigin[] = [];
  readonly warnings: string[] = [];
  readonly follower: MessageFollower;
  #onFollowed: () => void = () => {};

  constructor(source: MessageSource, deployBlock: number) {
    const log: Logger = {
      ...silentLogger,
      warn: (_fields: object, sentence?: string) => void this.warnings.push(sentence ?? ""),
      info() {},
      child: () => log,
    };
    this.follower = new MessageFollower(
      { deployBlock },
      {
        source,
        clock: systemClock,
        log,
        onOperation: (operation, origin) => {
          this.formed.push({ bytes: bytesToHex(TriggeredExit.serialize(operation)), operation, origin });
        },
        onMessage: (origin) => this.messages.push(origin),
        onFollowed: () => this.#onFollowed(),
      },
    );
  }

  /** Resolves when the head is followed. */
  caughtUp(): Promise<void> {
    return this.until(() => this.follower.isCaughtUp);
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const cancel = systemClock.after(DEADLINE_MS, () => reject(new Error("not in time")));
      this.#onFollowed = () => {
        if (!condition()) return;
        cancel();
        resolve();
      };
    });
  }
}
