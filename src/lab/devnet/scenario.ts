/** Who exits in a devnet run, and which messages must die: drawn once from the seed. */
import { SecretKey } from "@chainsafe/blst";
import { CodedError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";

/** A message to the contract: who sends it, for which pubkey. */
export interface PlannedMessage {
  /** 48 bytes. */
  readonly pubkey: Uint8Array;
  /** Null where the pubkey is no validator's. */
  readonly validatorIndex: number | null;
  /** Index of the development account that sends it. */
  readonly account: number;
}

export interface Scenario {
  /** Exits asked for by the validators' own withdrawal accounts. */
  readonly exits: PlannedMessage[];
  readonly unknownPubkey: PlannedMessage;
  readonly wrongSender: PlannedMessage;
  /** A second message for a validator that is already on its way out. */
  readonly alreadyExiting: PlannedMessage;
}

/**
 * @param pubkeys of the validators, by index.
 * @param accountOf the development account behind a validator's withdrawal credentials.
 */
export function planScenario(
  pubkeys: readonly Uint8Array[],
  exitCount: number,
  accountCount: number,
  accountOf: (validatorIndex: number) => number,
  random: Random,
): Scenario {
  // One validator beside those that exit is the wrong sender's victim.
  if (exitCount + 1 > pubkeys.length) {
    throw new CodedError(
      "TOO_MANY_EXITS",
      `${exitCount} exits need at least ${exitCount + 1} validators: raise --validators (now ${pubkeys.length}) or lower --exits`,
    );
  }
  const order = shuffle(pubkeys.length, random);
  const message = (validatorIndex: number, account: number): PlannedMessage => ({
    pubkey: pubkeys[validatorIndex] as Uint8Array,
    validatorIndex,
    account,
  });
  const exits = order.slice(0, exitCount).map((index) => message(index, accountOf(index)));
  const victim = order[exitCount] as number;
  return {
    exits,
    unknownPubkey: {
      pubkey: SecretKey.fromKeygen(random.bytes(32)).toPublicKey().toBytes(),
      validatorIndex: null,
      account: random.below(accountCount),
    },
    wrongSender: message(victim, (accountOf(victim) + 1) % accountCount),
    alreadyExiting: exits[0] as PlannedMessage,
  };
}

function shuffle(length: number, random: Random): number[] {
  const order = Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}
