/** Takes exits that somebody asks for on the devnet's page, and has them sent from the withdrawal address. */
import { toHex } from "@lodestar/utils";
import { CodedError, errorMessage } from "../../../base/errors.ts";
import type { PlannedMessage } from "../scenario.ts";
import type { PageOnlyEvent } from "./feed.ts";

/** Transactions on their way at once, each polled for: an account's wait for one another. */
export const MAX_SENDING = 16;

/** Of the validators must stay, whatever is asked for: who should propose and attest otherwise? */
const MIN_STAYING_SHARE = 0.5;

export type ExitChoice = { readonly index: number } | { readonly pubkey: Uint8Array };

export type ExitRequest =
  | { readonly status: "sending"; readonly validatorIndex: number; readonly pubkey: string }
  | { readonly status: "refused"; readonly httpStatus: number; readonly code: string; readonly message: string };

export const EXITS_NOT_READY = refused(
  503,
  "NOT_READY",
  "the devnet is starting: try again when the chain runs and its nodes are in one mesh",
);

export interface ExitDeskDeps {
  /** By validator index. */
  readonly pubkeys: readonly Uint8Array[];
  /** Validators with a part in the devnet's own story. */
  readonly reserved: ReadonlySet<number>;
  accountOf(validatorIndex: number): number;
  send(message: PlannedMessage): Promise<unknown>;
  onEvent(event: PageOnlyEvent): void;
}

export class ExitDesk {
  readonly #deps: ExitDeskDeps;
  /** At most one entry a validator. */
  readonly #asked = new Set<number>();
  #sending = 0;
  #isOpen = false;

  constructor(deps: ExitDeskDeps) {
    this.#deps = deps;
  }

  /** The chain has crossed the fork, and the nodes are in one mesh. */
  open(): void {
    this.#isOpen = true;
  }

  ask(choice: ExitChoice): ExitRequest {
    const { pubkeys, reserved } = this.#deps;
    if (!this.#isOpen) return EXITS_NOT_READY;
    const index =
      "index" in choice ? choice.index : pubkeys.findIndex((pubkey) => Buffer.compare(pubkey, choice.pubkey) === 0);
    const pubkey = pubkeys[index];
    if (pubkey === undefined) {
      return refused(404, "UNKNOWN_VALIDATOR", `the devnet has validators 0 to ${pubkeys.length - 1}`);
    }
    if (reserved.has(index)) {
      return refused(409, "RESERVED", `validator ${index} has its part in the devnet's own run: choose another`);
    }
    if (this.#asked.has(index)) return refused(409, "ALREADY_ASKED", `validator ${index} was asked to exit before`);
    if (this.#asked.size + reserved.size >= pubkeys.length * (1 - MIN_STAYING_SHARE)) {
      return refused(409, "TOO_FEW_LEFT", "half of the validators are asked to exit: the others keep the chain going");
    }
    if (this.#sending >= MAX_SENDING) {
      return refused(429, "TOO_MANY_SENDING", `${MAX_SENDING} transactions wait for their block: try again later`);
    }
    void this.#send(index, pubkey);
    return { status: "sending", validatorIndex: index, pubkey: toHex(pubkey) };
  }

  async #send(validatorIndex: number, pubkey: Uint8Array): Promise<void> {
    const { accountOf, send, onEvent } = this.#deps;
    const named = { validatorIndex, pubkey: toHex(pubkey) };
    this.#asked.add(validatorIndex);
    this.#sending++;
    onEvent({ event: "exit_requested", ...named });
    try {
      await send({ validatorIndex, pubkey, account: accountOf(validatorIndex) });
    } catch (error) {
      this.#asked.delete(validatorIndex);
      const { code, message } =
        error instanceof CodedError ? error : { code: "INTERNAL_ERROR", message: errorMessage(error) };
      onEvent({ event: "exit_failed", ...named, code, message });
    } finally {
      this.#sending--;
    }
  }
}

function refused(httpStatus: number, code: string, message: string): ExitRequest {
  return { status: "refused", httpStatus, code, message };
}
