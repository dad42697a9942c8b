/** A block's state transition with as many exits as fit, beside the same block without: all signatures, state root. */
import { MessageTree } from "../src/execution/message_tree.ts";
import { TRIGGERED_EXIT_MESSAGE_TYPE } from "../src/spec/constants.ts";
import { getMessageLeaf } from "../src/spec/message_leaf.ts";
import { MAX_TRIGGERED_EXITS } from "../src/spec/preset.ts";
import { type CachedState, loadState } from "../src/state/beacon_state.ts";
import { stateTransition } from "../src/state/transition.ts";
import { createStateView } from "../src/state/view.ts";
import { buildBlock } from "../test/state/build_block.ts";
import { createTestGenesis, WITHDRAWAL_ADDRESS } from "../test/state/network.ts";
import { formatUs, tell } from "./figure.ts";
import { comparePrepared, ratio } from "./measure.ts";

const VALIDATORS = 1_024;
/** The block's slot: the one before brings attestations to include. */
const SLOT = 2;

const genesis = createTestGenesis(0, VALIDATORS);
const tree = new MessageTree();
const pubkeys = Array.from(
  { length: MAX_TRIGGERED_EXITS },
  (_, i) => genesis.state.validators.getReadonly(i * 7).pubkey,
);
for (const pubkey of pubkeys) tree.append(getMessageLeaf(TRIGGERED_EXIT_MESSAGE_TYPE, WITHDRAWAL_ADDRESS, pubkey));
const messageBusRoot = tree.rootAt(tree.count);
const triggeredExits = pubkeys.map((pubkey, index) => ({
  messageBusSignal: {
    proof: tree.proofFor(index, tree.count),
    messageSender: WITHDRAWAL_ADDRESS,
    messageIndex: BigInt(index),
  },
  data: { pubkey },
}));

const options = {
  payloadStatus: "VALID",
  verifyProposer: true,
  verifySignatures: true,
  verifyStateRoot: true,
} as const;
const parent = stateTransition(genesis.state, buildBlock(genesis.state, SLOT - 1), options);
const serialized = parent.serialize();

function subject(exits: typeof triggeredExits) {
  const block = buildBlock(parent, SLOT, { messageBusRoot, triggeredExits: exits });
  return {
    // Decoded anew: blocks and states keep what was once computed of them.
    prepare(): CachedState {
      const state = loadState(genesis.config, serialized, parent.epochCtx.pubkeyCache);
      state.hashTreeRoot();
      // As a node does with each head: the index of its roots is there.
      createStateView(state);
      return state;
    },
    run: (state: CachedState) => stateTransition(state, { ...block, message: { ...block.message } }, options),
  };
}

const { full, empty } = comparePrepared({ full: subject(triggeredExits), empty: subject([]) });
tell({
  name: `block: ${MAX_TRIGGERED_EXITS} exits against none`,
  value: ratio(full, empty),
  unit: "×",
  detail: `${formatUs(full.medianUs)} against ${formatUs(empty.medianUs)}; ${VALIDATORS} validators, all signatures, state root`,
  goal: null,
});
