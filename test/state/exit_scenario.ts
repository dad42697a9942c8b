/** A head and a finalized state of real validators, and a contract tree whose newest root the head stores. */
import { join } from "node:path";
import { compressSync } from "snappy";
import { MessageTree } from "../../src/execution/message_tree.ts";
import { CaseDir } from "../../src/lab/vectors/case_dir.ts";
import { readState } from "../../src/lab/vectors/state_files.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../../src/spec/constants.ts";
import { getMessageLeaf } from "../../src/spec/message_leaf.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR } from "../../src/spec/preset.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import type { CachedBeaconStateMessageBus } from "../../src/state/beacon_state.ts";
import { createStateView } from "../../src/state/view.ts";
import { SeenExits } from "../../src/validation/seen.ts";
import type { TriggeredExitContext } from "../../src/validation/triggered_exit.ts";

const CASE_DIR = join(
  import.meta.dirname,
  "../vectors/minimal/message_bus/networking/gossip_triggered_exit/pyspec_tests/gossip_triggered_exit__valid_eth1_credentials",
);

/** Validators 3, 4, 5 … of the states have 0x01 credentials, validators 0 and 1 0x02, validator 2 has 0x00. */
export const EXITING_VALIDATOR = 5;
export const COMPOUNDING_VALIDATOR = 1;
export const BLS_VALIDATOR = 2;

/** A 20-byte address that no validator has. */
export const STRANGER = new Uint8Array(20).fill(0xee);

export type Sent = { validatorIndex: number; sender: Uint8Array; index: number };

export class ExitScenario {
  readonly head: CachedBeaconStateMessageBus;
  readonly finalized: CachedBeaconStateMessageBus;
  readonly tree = new MessageTree();

  constructor() {
    const dir = new CaseDir(CASE_DIR, { preset: "minimal", runner: "networking", handler: "gossip_triggered_exit" });
    this.head = readState(dir, "state.ssz_snappy");
    this.finalized = readState(dir, "finalized_state.ssz_snappy");
    for (const state of [this.head, this.finalized]) {
      for (let slot = 0; slot < BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR; slot++) {
        state.messageBusRoots.set(slot, new Uint8Array(32));
      }
    }
    for (let i = 0; i < 3; i++) this.tree.append(new Uint8Array(32).fill(i + 1));
  }

  /** The contract takes an exit message; by default from the validator's withdrawal address. */
  send(validatorIndex: number, sender = this.withdrawalAddress(validatorIndex)): Sent {
    this.tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, sender, this.pubkey(validatorIndex)));
    return { validatorIndex, sender, index: this.tree.count - 1 };
  }

  /** Stores the contract's present root in a state, as of the payload that is `age` blocks old. */
  storeRoot(state = this.head, age = 0, count = this.tree.count): void {
    state.messageBusRoots.set(slotOf(state, age), this.tree.rootAt(count));
    state.commit();
  }

  /** The head's next payload brings the contract's present root. */
  nextPayload(): void {
    this.head.latestExecutionPayloadHeader.blockNumber += 1;
    this.storeRoot();
  }

  operation(sent: Sent, count = this.tree.count): TriggeredExit {
    return {
      messageBusSignal: {
        proof: this.tree.proofFor(sent.index, count),
        messageSender: sent.sender,
        messageIndex: BigInt(sent.index),
      },
      data: { pubkey: this.pubkey(sent.validatorIndex) },
    };
  }

  pubkey(validatorIndex: number): Uint8Array {
    return this.head.validators.getReadonly(validatorIndex).pubkey.slice();
  }

  withdrawalAddress(validatorIndex: number): Uint8Array {
    return this.head.validators.getReadonly(validatorIndex).withdrawalCredentials.slice(12);
  }

  context(overrides: Partial<TriggeredExitContext> = {}): TriggeredExitContext {
    return {
      head: createStateView(this.head),
      finalized: createStateView(this.finalized),
      clockEpoch: this.head.epochCtx.epoch,
      shardCommitteePeriodEpochs: this.head.config.SHARD_COMMITTEE_PERIOD,
      synced: true,
      seen: new SeenExits(),
      contract: null,
      ...overrides,
    };
  }
}

/** A scenario in which one validator has asked to exit, and the newest payload has brought the root. */
export function createExitScenario(validatorIndex = EXITING_VALIDATOR): { scenario: ExitScenario; sent: Sent } {
  const scenario = new ExitScenario();
  const sent = scenario.send(validatorIndex);
  scenario.storeRoot();
  return { scenario, sent };
}

export function slotOf(state: CachedBeaconStateMessageBus, age: number): number {
  return (state.latestExecutionPayloadHeader.blockNumber - age) % BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;
}

export function toWireData(operation: TriggeredExit): Uint8Array {
  return compressSync(TriggeredExit.serialize(operation));
}
