/**
 * Totality: whatever the bytes, and whatever the state that genesis and blocks lead to, the verdict and the block's rules
 * end in a closed code, in time and without a throw, and the state that they were given stays as it was.
 */
import { compressSync } from "snappy";
import { CodedError } from "../../src/base/errors.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../../src/spec/constants.ts";
import { TriggeredExit } from "../../src/spec/types.ts";
import type { CachedBeaconStateMessageBus } from "../../src/state/beacon_state.ts";
import { getTriggeredExitValidity, processTriggeredExit } from "../../src/state/triggered_exit.ts";
import { createStateView } from "../../src/state/view.ts";
import { SeenExits } from "../../src/validation/seen.ts";
import {
  judgeTriggeredExit,
  type TriggeredExitContext,
  type TriggeredExitOutcome,
} from "../../src/validation/triggered_exit.ts";
import { TRIGGERED_EXIT_CODES } from "../../src/validation/verdict.ts";
import { operationOf, type ReachableStates, runChain } from "../state/reachable_states.ts";

/** Of one case, on a machine that does other things too: a case takes 0.1 ms. */
const DEADLINE_MS = 10_000;

/** Where the fields of a serialized operation begin, and where it ends. */
const BOUNDARIES = [
  0,
  32,
  31 * 32,
  32 * 32,
  32 * 32 + 8,
  33 * 32,
  33 * 32 + 20,
  33 * 32 + 28,
  TRIGGERED_EXIT_SIZE_BYTES,
];
const COUNT_OFFSET = 32 * 32;
const SENDER_OFFSET = 33 * 32;
const INDEX_OFFSET = SENDER_OFFSET + 20;
const PUBKEY_OFFSET = INDEX_OFFSET + 8;
const UINT64S = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** Every code by which a block's operation may fall. */
const BLOCK_CODES: ReadonlySet<string> = new Set([
  ...["VALID", "BAD_COUNT", "INDEX_OUT_OF_RANGE", "UNKNOWN_ROOT", "UNKNOWN_VALIDATOR", "NO_EXECUTION_ADDRESS"],
  ...["WRONG_SENDER", "NOT_ACTIVE", "EXIT_INITIATED", "TOO_YOUNG", "PENDING_WITHDRAWAL"],
]);
/** Verdicts on what a block may hold: those that are about the node, the root's time, or another clock. */
const VERDICTS_ON_VALID: ReadonlySet<string> = new Set(["VALID", "NOT_SYNCED", "ALREADY_SEEN", "ROOT_EXPIRING"]);
/** `INTERNAL_ERROR` is the boundary's word for a throw. */
const VERDICT_CODES: ReadonlySet<string> = new Set(TRIGGERED_EXIT_CODES.filter((code) => code !== "INTERNAL_ERROR"));

export class SszFuzzer {
  readonly #seed: number;
  readonly #chains: readonly ReachableStates[];
  /** How often each code was the end, of verdicts and of blocks. */
  readonly codes = new Map<string, number>();
  #cases = 0;

  constructor(seed: number, chains = [runChain(0), runChain(1)]) {
    this.#seed = seed;
    this.#chains = chains;
  }

  get cases(): number {
    return this.#cases;
  }

  /** Runs the next case. Throws an error that names seed, case and bytes where a promise is broken. */
  step(): void {
    const number = this.#cases++;
    const random = seededRandom(BigInt(this.#seed) * 0x1_0000_0000n + BigInt(number));
    const chain = pick(random, this.#chains);
    const state = pick(random, chain.states);
    const ssz = mutate(random, this.#draw(random, chain), chain);
    const wireData = mutateWire(random, compressSync(ssz));
    try {
      const startedMs = performance.now();
      this.#check(random, chain, state, ssz, wireData);
      const elapsedMs = performance.now() - startedMs;
      if (elapsedMs > DEADLINE_MS) throw new Error(`It took ${Math.round(elapsedMs)} ms`);
    } catch (error) {
      const hex = Buffer.from(wireData).toString("hex");
      const where = `seed ${this.#seed}, case ${number}, slot ${state.slot}, wire data 0x${hex}`;
      throw new Error(`${error instanceof Error ? error.message : String(error)} (${where})`, { cause: error });
    }
  }

  #draw(random: Random, chain: ReachableStates): Uint8Array {
    const count = chance(random, 0.9) ? pick(random, chain.counts) : 1 + random.below(chain.tree.count);
    return TriggeredExit.serialize(operationOf(chain, random.below(count), count));
  }

  #check(
    random: Random,
    chain: ReachableStates,
    state: CachedBeaconStateMessageBus,
    ssz: Uint8Array,
    wireData: Uint8Array,
  ): void {
    const before = state.hashTreeRoot();
    const context = contextOf(random, chain, state);
    const outcome = judgeTriggeredExit(wireData, context);
    this.#count(`verdict ${outcome.verdict.code}`);
    checkOutcome(outcome);
    if (ssz.length === TRIGGERED_EXIT_SIZE_BYTES) this.#checkBlock(state, ssz);
    if (outcome.ssz !== null) checkAgreement(state, outcome, context);
    if (Buffer.compare(before, state.hashTreeRoot()) !== 0) throw new Error("The state was changed");
  }

  #checkBlock(state: CachedBeaconStateMessageBus, ssz: Uint8Array): void {
    const operation = TriggeredExit.deserialize(ssz);
    const { code } = getTriggeredExitValidity(state, operation);
    this.#count(`block ${code}`);
    if (!BLOCK_CODES.has(code)) throw new Error(`The block's rules end in ${code}`);
    const clone = state.clone() as CachedBeaconStateMessageBus;
    let thrown: string | null = null;
    try {
      processTriggeredExit(clone, operation);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      thrown = error.code;
    }
    if ((thrown ?? "VALID") !== code) throw new Error(`The rules say ${code}, and processing ${thrown}`);
    const isChanged = Buffer.compare(clone.hashTreeRoot(), state.hashTreeRoot()) !== 0;
    if (isChanged !== (code === "VALID"))
      throw new Error(`${code} ${isChanged ? "changes" : "does not change"} the state`);
    if (code === "VALID" && getTriggeredExitValidity(clone, operation).code !== "EXIT_INITIATED") {
      throw new Error("An exit can be initiated twice");
    }
  }

  #count(code: string): void {
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
  }
}

function checkOutcome({ verdict, operation }: TriggeredExitOutcome): void {
  const { result, code } = verdict;
  if (!VERDICT_CODES.has(code)) throw new Error(`The verdict is ${code}`);
  if ((result === "accept") !== (code === "VALID") || (operation !== null) !== (code === "VALID")) {
    throw new Error(`The verdict is ${result} ${code} with ${operation === null ? "no" : "an"} operation`);
  }
}

/** Gossip accepts nothing that a block refuses, and refuses nothing that a block may hold for a reason of its own. */
function checkAgreement(
  state: CachedBeaconStateMessageBus,
  { verdict: { code }, ssz }: TriggeredExitOutcome,
  { shardCommitteePeriodEpochs }: TriggeredExitContext,
): void {
  if (shardCommitteePeriodEpochs !== state.config.SHARD_COMMITTEE_PERIOD) return;
  const block = getTriggeredExitValidity(state, TriggeredExit.deserialize(ssz as Uint8Array)).code;
  if (code === "VALID" && block !== "VALID") throw new Error(`Gossip accepts what a block refuses: ${block}`);
  if (block === "VALID" && !VERDICTS_ON_VALID.has(code))
    throw new Error(`Gossip says ${code} of what a block may hold`);
}

function contextOf(random: Random, chain: ReachableStates, head: CachedBeaconStateMessageBus): TriggeredExitContext {
  const headIndex = chain.states.indexOf(head);
  const finalized = chain.states[random.below(headIndex + 1)] as CachedBeaconStateMessageBus;
  const seen = new SeenExits();
  if (chance(random, 0.1))
    for (const { pubkey } of chain.messages) seen.add(pubkey, chain.tree.rootAt(chain.tree.count));
  const finalizedCount = BigInt(random.below(chain.tree.count + 1));
  return {
    head: createStateView(head, new Set(chance(random, 0.2) ? [head.latestExecutionPayloadHeader.blockNumber] : [])),
    finalized: createStateView(finalized),
    clockEpoch: head.epochCtx.epoch + random.below(4),
    shardCommitteePeriodEpochs: head.config.SHARD_COMMITTEE_PERIOD,
    synced: !chance(random, 0.05),
    seen,
    contract: chance(random, 0.5)
      ? null
      : {
          finalizedCount,
          leafAt: (index) => chain.tree.leafAt(Number(index)),
          rootAt: (count) => chain.tree.rootAt(Number(count)),
        },
  };
}

function mutate(random: Random, original: Uint8Array, chain: ReachableStates): Uint8Array {
  const ssz = original.slice();
  const view = new DataView(ssz.buffer);
  switch (random.below(9)) {
    case 0:
    case 1:
      return ssz;
    case 2:
      ssz[atBoundary(random)] = random.below(256);
      return ssz;
    case 3:
      view.setBigUint64(COUNT_OFFSET, uint64(random), true);
      return ssz;
    case 4:
      view.setBigUint64(INDEX_OFFSET, uint64(random), true);
      return ssz;
    case 5: {
      const other = pick(random, chain.messages);
      if (chance(random, 0.5)) ssz.set(other.pubkey, PUBKEY_OFFSET);
      else ssz.set(other.sender, SENDER_OFFSET);
      return ssz;
    }
    case 6:
      for (let i = random.below(8); i >= 0; i--) ssz[random.below(ssz.length)] = random.below(256);
      return ssz;
    case 7:
      return random.bytes(chance(random, 0.5) ? TRIGGERED_EXIT_SIZE_BYTES : random.below(3_000));
    default:
      return chance(random, 0.5)
        ? ssz.subarray(0, random.below(ssz.length))
        : new Uint8Array(Buffer.concat([ssz, random.bytes(1 + random.below(40))]));
  }
}

function mutateWire(random: Random, wireData: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(wireData);
  switch (random.below(8)) {
    case 0:
      bytes[random.below(Math.min(bytes.length, 8))] = random.below(256);
      return bytes;
    case 1:
      bytes[random.below(bytes.length)] = random.below(256);
      return bytes;
    case 2:
      return bytes.subarray(0, random.below(bytes.length + 1));
    case 3:
      return chance(random, 0.3) ? random.bytes(random.below(200)) : bytes;
    default:
      return bytes;
  }
}

function atBoundary(random: Random): number {
  const offset = pick(random, BOUNDARIES) + random.below(3) - 1;
  return Math.min(Math.max(offset, 0), TRIGGERED_EXIT_SIZE_BYTES - 1);
}

function uint64(random: Random): bigint {
  return chance(random, 0.7) ? pick(random, UINT64S) : BigInt(random.below(40));
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

function chance(random: Random, probability: number): boolean {
  return random.float() < probability;
}
