/** A signed block of the proposer that is due, as a stranger with its key could make it; one thing may be wrong. */
import { DOMAIN_BEACON_PROPOSER } from "@lodestar/params";
import { computeSigningRoot } from "@lodestar/state-transition";
import { silentLogger } from "../../src/base/log.ts";
import { AttestationPool } from "../../src/chain/attestation_pool.ts";
import type { SignedBlock } from "../../src/chain/block.ts";
import { PayloadVerifier } from "../../src/chain/payloads.ts";
import { produceBlock } from "../../src/chain/produce.ts";
import { BeaconBlock, type ExecutionPayload, type SignedBeaconBlock } from "../../src/spec/types.ts";
import type { CachedState } from "../../src/state/beacon_state.ts";
import type { BuiltPayload, PayloadAttributes } from "../../src/state/execution_engine.ts";
import { processSlots } from "../../src/state/transition.ts";
import { MemoryEngine } from "./memory_execution.ts";
import { KEYS, type TestNetwork, type TestNode } from "./network.ts";

export interface ProposalOptions {
  readonly parent?: string;
  readonly mutatePayload?: (payload: ExecutionPayload) => ExecutionPayload;
}

/** An engine whose payloads are not what the world's clients know. */
class MutatingEngine extends MemoryEngine {
  private readonly mutate: (payload: ExecutionPayload) => ExecutionPayload;

  constructor(network: TestNetwork, mutate: (payload: ExecutionPayload) => ExecutionPayload) {
    super(network.world);
    this.mutate = mutate;
  }

  override async buildPayload(parentHash: Uint8Array, attributes: PayloadAttributes): Promise<BuiltPayload> {
    const built = await super.buildPayload(parentHash, attributes);
    return { ...built, payload: this.mutate(built.payload) };
  }
}

/**
 * On the first node's head, in the slot that comes next: the clock is moved to its start, and its true proposer made to
 * miss it.
 */
export async function createProposal(
  network: TestNetwork,
  options: ProposalOptions = {},
): Promise<{ signedBlock: SignedBlock; postState: CachedState }> {
  const { chain } = network.nodes[0] as TestNode;
  const slot = chain.slots.currentSlot + 1;
  for (const node of network.nodes) node.engine.declinesToBuild = true;
  network.clock.advanceTo(chain.slots.slotStartMs(slot));
  await network.settle();
  for (const node of network.nodes) node.engine.declinesToBuild = false;
  const parent = options.parent ?? chain.head.root;
  const preState = processSlots(chain.getState(parent) as CachedState, slot);
  const engine = new MutatingEngine(network, options.mutatePayload ?? ((payload) => payload));
  const produced = await produceBlock(
    {
      config: network.config,
      payloads: new PayloadVerifier({
        engine,
        finalized: () => chain.head.payload,
        clock: network.clock,
        logger: silentLogger,
      }),
      attestations: new AttestationPool(),
      packTriggeredExits: () => [],
      logger: silentLogger,
    },
    parent,
    preState,
    secretKeyOf(preState.epochCtx.getBeaconProposer(slot)),
    new Uint8Array(20),
  );
  if (produced === null || produced === "PARENT_LOST") throw new Error("The engine did not build");
  return produced;
}

/** The block with something changed, signed by whom it names. */
export function resign(
  network: TestNetwork,
  signedBlock: SignedBlock,
  change: Partial<BeaconBlock>,
): SignedBeaconBlock {
  const { body, parentRoot, proposerIndex, slot, stateRoot } = (signedBlock as SignedBeaconBlock).message;
  const message = BeaconBlock.clone({ body, parentRoot, proposerIndex, slot, stateRoot, ...change });
  const domain = network.config.getDomain(message.slot, DOMAIN_BEACON_PROPOSER, message.slot);
  const signingRoot = computeSigningRoot(BeaconBlock, message, domain);
  return { message, signature: secretKeyOf(message.proposerIndex).sign(signingRoot).toBytes() };
}

export function secretKeyOf(index: number) {
  return (KEYS[index] as (typeof KEYS)[0]).secretKey;
}
