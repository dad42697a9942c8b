/** Exits that found the pool full: without their proofs, which a node that follows the contract makes anew. */
import { MESSAGE_BUS_CONTRACT_TREE_DEPTH } from "../spec/preset.ts";
import { TriggeredExit } from "../spec/types.ts";
import type { VerifiedTriggeredExit } from "../validation/triggered_exit.ts";

/**
 * Exits that wait, 300 bytes each: 39 MB, or 8,192 full blocks, as long as a root lasts on mainnet. Beyond it a newcomer is
 * forgotten; its message stands in the contract, and may be proven and submitted again.
 */
const WAITING_LIMIT = 131_072;

/** What an operation is made of beside its proof. */
interface Message {
  /** 48 bytes. */
  readonly pubkey: Uint8Array;
  /** 20 bytes. */
  readonly sender: Uint8Array;
  readonly index: bigint;
}

/** Room for as many siblings as an operation has, which say nothing. */
const NO_PROOF = Array.from({ length: MESSAGE_BUS_CONTRACT_TREE_DEPTH + 1 }, () => new Uint8Array(32));

export class WaitingExits {
  readonly #messages = new Map<number, Message>();
  readonly #limit: number;

  constructor(limit = WAITING_LIMIT) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#messages.size;
  }

  add({ validatorIndex, ssz }: Pick<VerifiedTriggeredExit, "validatorIndex" | "ssz">): void {
    if (this.#messages.size >= this.#limit && !this.#messages.has(validatorIndex)) return;
    const { data, messageBusSignal } = TriggeredExit.deserialize(ssz);
    // Copies: views would keep all of the operation's bytes.
    this.#messages.set(validatorIndex, {
      pubkey: data.pubkey.slice(),
      sender: messageBusSignal.messageSender.slice(),
      index: messageBusSignal.messageIndex,
    });
  }

  /** The validator's exit is pooled after all. */
  delete(validatorIndex: number): void {
    this.#messages.delete(validatorIndex);
  }

  /** Takes out at most `max`, longest waiting first: operations whose proofs are all zeros. */
  take(max: number): TriggeredExit[] {
    const taken: TriggeredExit[] = [];
    for (const [validatorIndex, { pubkey, sender, index }] of this.#messages) {
      if (taken.length >= max) break;
      this.#messages.delete(validatorIndex);
      const messageBusSignal = { proof: NO_PROOF, messageSender: sender, messageIndex: index };
      taken.push({ messageBusSignal, data: { pubkey } });
    }
    return taken;
  }
}
