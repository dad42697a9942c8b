/**
 * The operations that the bus carries, one row each: the table that network, pool and blocks are wired from. A further
 * operation is a row here, with its SSZ type, its validator, its processor and their tests.
 */
import type { Type } from "@chainsafe/ssz";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../spec/constants.ts";
import { TriggeredExit } from "../spec/types.ts";
import type { CachedBeaconStateMessageBus } from "../state/beacon_state.ts";
import { processTriggeredExit } from "../state/triggered_exit.ts";
import {
  type TriggeredExitOutcome,
  TriggeredExitValidator,
  type TriggeredExitValidatorDependencies,
} from "./triggered_exit.ts";

export interface OperationKind<Operation, Outcome, Dependencies> {
  /** The contract's message type, 32 bytes big-endian. */
  readonly messageType: Uint8Array;
  readonly sszType: Type<Operation>;
  /** Name of its gossip topic, between the fork digest and the encoding. */
  readonly topic: string;
  createValidator(dependencies: Dependencies): {
    validateWireData(wireData: Uint8Array): Outcome;
    validateSerialized(ssz: Uint8Array): Outcome;
  };
  /** Applies the operation of a block, or throws a `CodedError` and leaves the state as it was. */
  process(state: CachedBeaconStateMessageBus, operation: Operation): void;
}

export const operations = {
  triggeredExit: {
    messageType: TRIGGERED_EXIT_MESSAGE_TYPE,
    sszType: TriggeredExit,
    topic: "triggered_exit" as const,
    createValidator: (dependencies) => new TriggeredExitValidator(dependencies),
    process: processTriggeredExit,
  } satisfies OperationKind<TriggeredExit, TriggeredExitOutcome, TriggeredExitValidatorDependencies>,
} as const;
