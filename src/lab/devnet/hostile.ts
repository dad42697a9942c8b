/** Operations that a hostile peer pushes into gossip: each breaks one rule, and is else as good as it can be. */
import { fromHex } from "@lodestar/utils";
import type { Clock } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";
import { silentLogger } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { SentMessage } from "../../execution/contract.ts";
import { JsonRpc } from "../../execution/json_rpc.ts";
import { proveExit } from "../../execution/prove.ts";
import { compressBlock } from "../../network/encoding.ts";
import { TriggeredExit } from "../../spec/types.ts";
import { anvilAccount } from "../anvil.ts";
import { withdrawalAccountOf } from "../genesis.ts";
import type { SpecimenKind } from "./events.ts";
import type { PlannedMessage } from "./scenario.ts";

export interface HostileOperation {
  readonly kind: SpecimenKind;
  /** Null where the bytes hold no operation. */
  readonly pubkey: Uint8Array | null;
  /** As they go on the wire. */
  readonly wireData: Uint8Array;
}

/** Operations with true proofs, whose messages are bad in themselves. */
export interface HostileMaterial {
  readonly unknownPubkey: TriggeredExit;
  readonly wrongSender: TriggeredExit;
  readonly alreadyExiting: TriggeredExit;
  /** One that would be valid, if its proof were: the right sender of a validator that stays. */
  readonly unsent: TriggeredExit;
}

/** What the contract holds by the time that the hostile peer begins. */
export interface SentSpecimens {
  /** Of the exits, the first. */
  readonly first: SentMessage;
  readonly unknownPubkey: SentMessage;
  readonly wrongSender: SentMessage;
  /** The first exit's message once more, in a later block. */
  readonly again: SentMessage;
}

/** @param victim a validator that stays, of whose exit a proof is forged. */
export async function proveMaterial(
  sent: SentSpecimens,
  victim: PlannedMessage,
  { elUrl, contract, clock, random }: { elUrl: string; contract: `0x${string}`; clock: Clock; random: Random },
): Promise<HostileMaterial> {
  const rpc = new JsonRpc({ url: elUrl }, { clock, log: silentLogger });
  const prove = async ({ transactionHash }: SentMessage, blockNumber: number): Promise<TriggeredExit> => {
    const options = { contract, choice: { transactionHash }, fromBlock: 0 };
    try {
      return (await proveExit({ ...options, blockNumber }, rpc)).operation;
    } catch (error) {
      // Its block was taken back meanwhile, and a later one holds it.
      if (!(error instanceof CodedError) || error.code === "EL_UNAVAILABLE") throw error;
      return (await proveExit(options, rpc)).operation;
    }
  };
  const genuine = await prove(sent.first, sent.first.blockNumber);
  const withdrawalAddress = fromHex(anvilAccount(withdrawalAccountOf(victim.validatorIndex ?? 0)).address);
  return {
    unknownPubkey: await prove(sent.unknownPubkey, sent.unknownPubkey.blockNumber),
    wrongSender: await prove(sent.wrongSender, sent.wrongSender.blockNumber),
    alreadyExiting: await prove(sent.first, sent.again.blockNumber),
    unsent: forgeExit(victim.pubkey, withdrawalAddress, genuine, random),
  };
}

/** What only costs the sender an IGNORE comes first, so that it is not graylisted before it is through. */
export function hostileOperations(material: HostileMaterial, random: Random): HostileOperation[] {
  const operation = (kind: SpecimenKind, exit: TriggeredExit): HostileOperation => ({
    kind,
    pubkey: exit.data.pubkey,
    wireData: compressBlock(TriggeredExit.serialize(exit)),
  });
  const impossibleCount = TriggeredExit.clone(material.unsent);
  impossibleCount.messageBusSignal.proof[impossibleCount.messageBusSignal.proof.length - 1] = random.bytes(32);
  return [
    operation("already_exiting", material.alreadyExiting),
    operation("forged_proof", material.unsent),
    operation("unknown_pubkey", material.unknownPubkey),
    operation("wrong_sender", material.wrongSender),
    operation("bad_count", impossibleCount),
    { kind: "wrong_length", pubkey: null, wireData: compressBlock(random.bytes(64)) },
    { kind: "bad_snappy", pubkey: null, wireData: truncated(compressBlock(TriggeredExit.serialize(material.unsent))) },
  ];
}

/** Declares the right length and breaks off: only decompressing tells. */
function truncated(wireData: Uint8Array): Uint8Array {
  return wireData.subarray(0, wireData.length - 16);
}

/** The exit of a message that nobody sent: every sibling is made up but the count, which is one that blocks have had. */
function forgeExit(pubkey: Uint8Array, sender: Uint8Array, genuine: TriggeredExit, random: Random): TriggeredExit {
  const { proof, messageIndex } = genuine.messageBusSignal;
  return {
    messageBusSignal: {
      proof: proof.map((sibling, depth) => (depth === proof.length - 1 ? sibling : random.bytes(32))),
      messageSender: sender,
      messageIndex,
    },
    data: { pubkey },
  };
}
