/**
 * SSZ types of the message-bus fork: Fulu's, with the proposal's fields.
 * @spec specs/message-bus/beacon-chain.md#containers
 */
import "./hasher.ts";
import { ContainerType, ListCompositeType, type ValueOf, VectorCompositeType } from "@chainsafe/ssz";
import { ssz } from "@lodestar/types";
import { MESSAGE_BUS_PROOF_LENGTH } from "./constants.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR, MAX_TRIGGERED_EXITS } from "./preset.ts";

const { Bytes32, BLSPubkey, BLSSignature, ExecutionAddress, UintBn64 } = ssz;

export const MessageBusProof = new VectorCompositeType(Bytes32, MESSAGE_BUS_PROOF_LENGTH);

/** `messageIndex` is a bigint: it comes off the wire and may be any uint64. */
export const MessageBusSignal = new ContainerType(
  { proof: MessageBusProof, messageSender: ExecutionAddress, messageIndex: UintBn64 },
  { typeName: "MessageBusSignal", jsonCase: "eth2" },
);

export const TriggeredExitData = new ContainerType(
  { pubkey: BLSPubkey },
  { typeName: "TriggeredExitData", jsonCase: "eth2" },
);

/** Fixed size, 1132 bytes. */
export const TriggeredExit = new ContainerType(
  { messageBusSignal: MessageBusSignal, data: TriggeredExitData },
  { typeName: "TriggeredExit", jsonCase: "eth2" },
);

export const TriggeredExits = new ListCompositeType(TriggeredExit, MAX_TRIGGERED_EXITS);

export const MessageBusRoots = new VectorCompositeType(Bytes32, BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR);

export const ExecutionPayload = new ContainerType(
  { ...ssz.fulu.ExecutionPayload.fields, messageBusRoot: Bytes32 },
  { typeName: "ExecutionPayload", jsonCase: "eth2" },
);

export const ExecutionPayloadHeader = new ContainerType(
  { ...ssz.fulu.ExecutionPayloadHeader.fields, messageBusRoot: Bytes32 },
  { typeName: "ExecutionPayloadHeader", jsonCase: "eth2" },
);

export const BeaconBlockBody = new ContainerType(
  { ...ssz.fulu.BeaconBlockBody.fields, executionPayload: ExecutionPayload, triggeredExits: TriggeredExits },
  { typeName: "BeaconBlockBody", jsonCase: "eth2", cachePermanentRootStruct: true },
);

export const BeaconBlock = new ContainerType(
  { ...ssz.fulu.BeaconBlock.fields, body: BeaconBlockBody },
  { typeName: "BeaconBlock", jsonCase: "eth2", cachePermanentRootStruct: true },
);

export const SignedBeaconBlock = new ContainerType(
  { message: BeaconBlock, signature: BLSSignature },
  { typeName: "SignedBeaconBlock", jsonCase: "eth2" },
);

export const BeaconState = new ContainerType(
  {
    ...ssz.fulu.BeaconState.fields,
    latestExecutionPayloadHeader: ExecutionPayloadHeader,
    messageBusRoots: MessageBusRoots,
  },
  { typeName: "BeaconState", jsonCase: "eth2" },
);

export type MessageBusSignal = ValueOf<typeof MessageBusSignal>;
export type TriggeredExitData = ValueOf<typeof TriggeredExitData>;
export type TriggeredExit = ValueOf<typeof TriggeredExit>;
export type ExecutionPayload = ValueOf<typeof ExecutionPayload>;
export type ExecutionPayloadHeader = ValueOf<typeof ExecutionPayloadHeader>;
export type BeaconBlockBody = ValueOf<typeof BeaconBlockBody>;
export type BeaconBlock = ValueOf<typeof BeaconBlock>;
export type SignedBeaconBlock = ValueOf<typeof SignedBeaconBlock>;
