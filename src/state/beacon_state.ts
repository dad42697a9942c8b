/** States of the message-bus fork, and of Fulu before it: how they are decoded, and the caches that they carry. */
import type { CompositeViewDU } from "@chainsafe/ssz";
import { ACTIVE_PRESET } from "@lodestar/params";
import {
  type BeaconStateAllForks,
  type BeaconStateCache,
  type BeaconStateFulu,
  type CachedBeaconStateCapella,
  type CachedBeaconStateElectra,
  type CachedBeaconStateFulu,
  createCachedBeaconState,
  type PubkeyCache,
} from "@lodestar/state-transition";
import { ssz } from "@lodestar/types";
import { toHex } from "@lodestar/utils";
import { CodedError } from "../base/errors.ts";
import { isMessageBusSlot, type MessageBusBeaconConfig } from "../spec/config.ts";
import { MESSAGE_BUS_FORK_NAME } from "../spec/constants.ts";
import { assertExact, decode } from "../spec/exact.ts";
import { BeaconState } from "../spec/types.ts";
import { createLazyPubkeyCache } from "./pubkey_cache.ts";

export type BeaconStateMessageBus = CompositeViewDU<typeof BeaconState>;

type StateCache = Omit<BeaconStateCache, "config"> & { readonly config: MessageBusBeaconConfig };

/** A state with its caches: shufflings, proposers, sync committees, pubkeys. `clone` shares tree and caches. */
export type CachedBeaconStateMessageBus = BeaconStateMessageBus & StateCache;

/** A state of either side of the fork, as a chain that crosses it has them. */
export type CachedState = CachedBeaconStateMessageBus | (BeaconStateFulu & StateCache);

/** Whether a state is of our fork. Its type is kept through clones, slots and blocks. */
export function isMessageBusState(state: CachedState): state is CachedBeaconStateMessageBus {
  return (state.type as unknown) === BeaconState;
}

/**
 * A state as the library's functions take it. They look at fields by name, of which ours has all of Fulu's; what they
 * write they write through the state's own type.
 */
export function asFulu(state: CachedState): LibraryState {
  return state as unknown as LibraryState;
}

/** Fulu's state is one of Electra's and Capella's to the library's functions, which their types do not say. */
type LibraryState = CachedBeaconStateFulu & CachedBeaconStateElectra & CachedBeaconStateCapella;

/** The library's answer to `asFulu(state)`, which has the type that went in. */
export function fromFulu(state: BeaconStateAllForks): CachedState {
  return state as unknown as CachedState;
}

/**
 * Decodes the SSZ of a state and builds its caches.
 * @param pubkeyCache the chain's, shared by all its states; a new one by default.
 * Throws a `CodedError`: `WRONG_PRESET`, `WRONG_FORK` (fields `expected` and `found`), `BAD_SSZ`, `UINT64_TOO_LARGE`.
 */
export function loadState(
  config: MessageBusBeaconConfig,
  bytes: Uint8Array,
  pubkeyCache: PubkeyCache = createLazyPubkeyCache(),
): CachedState {
  return createCachedState(config, decodeState(config, bytes), pubkeyCache);
}

/** Decodes the SSZ of a state of the fork that the configuration has at its slot. Throws as `loadState` does. */
export function decodeState(
  config: MessageBusBeaconConfig,
  bytes: Uint8Array,
): BeaconStateMessageBus | BeaconStateFulu {
  const isOurs = assertForkAndPreset(config, bytes);
  const type = isOurs ? BeaconState : ssz.fulu.BeaconState;
  const state = decode(() => type.deserializeToViewDU(bytes), { typeName: `BeaconState of ${forkName(isOurs)}` });
  assertExact(type, bytes);
  return state;
}

/** Attaches new caches to a state. Pubkeys that the cache lacks are added to it. */
export function createCachedState(
  config: MessageBusBeaconConfig,
  state: BeaconStateMessageBus | BeaconStateFulu,
  pubkeyCache: PubkeyCache = createLazyPubkeyCache(),
): CachedState {
  return fromFulu(createCachedBeaconState(state as unknown as BeaconStateFulu, { config, pubkeyCache }));
}

/** The root that signature domains and fork digests need, from the SSZ of a state of any fork: 32 bytes. */
export function readGenesisValidatorsRoot(stateBytes: Uint8Array): Uint8Array {
  if (stateBytes.length < HEADER_SIZE_BYTES) throw notAState(stateBytes.length);
  return stateBytes.slice(8, 40);
}

/** genesis_time, genesis_validators_root, slot, fork: the same in every fork. */
const HEADER_SIZE_BYTES = 8 + 32 + 8 + 16;
const SLOT_OFFSET = 40;
const CURRENT_VERSION_OFFSET = 52;

/**
 * Where a state's first offset (of historical_roots) stands and what it says: the length of the fixed part, which tells
 * preset and fork apart before anything is decoded.
 */
const LAYOUTS = [
  { preset: "mainnet", isOurs: false, offsetPosition: 524_464, fixedSizeBytes: 2_737_225 },
  { preset: "mainnet", isOurs: true, offsetPosition: 524_464, fixedSizeBytes: 2_999_369 },
  { preset: "minimal", isOurs: false, offsetPosition: 4_272, fixedSizeBytes: 10_441 },
  { preset: "minimal", isOurs: true, offsetPosition: 4_272, fixedSizeBytes: 12_489 },
] as const;

/** Whether the state is of our fork, after checking that it is what the configuration has at its slot. */
function assertForkAndPreset(config: MessageBusBeaconConfig, bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_SIZE_BYTES) throw notAState(bytes.length);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = LAYOUTS.find(
    ({ offsetPosition, fixedSizeBytes }) =>
      bytes.length >= fixedSizeBytes && data.getUint32(offsetPosition, true) === fixedSizeBytes,
  );
  if (layout !== undefined && layout.preset !== ACTIVE_PRESET) {
    throw new CodedError("WRONG_PRESET", `Expected a state of the ${ACTIVE_PRESET} preset, found ${layout.preset}`, {
      expected: ACTIVE_PRESET,
      found: layout.preset,
    });
  }
  const slot = Number(data.getBigUint64(SLOT_OFFSET, true));
  const isOurs = isMessageBusSlot(config, slot);
  const { name, version } = config.getForkInfo(slot);
  const foundVersion = toHex(bytes.subarray(CURRENT_VERSION_OFFSET, CURRENT_VERSION_OFFSET + 4));
  const found =
    Object.values(config.forks).find((fork) => toHex(fork.version) === foundVersion)?.name ?? "unknown fork";
  if (foundVersion !== toHex(version) || (layout !== undefined && layout.isOurs !== isOurs)) {
    const expected = `${name} (${toHex(version)})`;
    const fields = layout === undefined ? "" : ` with the fields of ${forkName(layout.isOurs)}`;
    throw new CodedError(
      "WRONG_FORK",
      `Expected a state of ${expected} at slot ${slot}, found ${found} (${foundVersion})${fields}`,
      { expected, found: `${found} (${foundVersion})` },
    );
  }
  if (layout === undefined) throw notAState(bytes.length);
  return isOurs;
}

function forkName(isOurs: boolean): string {
  return isOurs ? MESSAGE_BUS_FORK_NAME : "fulu";
}

function notAState(sizeBytes: number): CodedError {
  return new CodedError(
    "BAD_SSZ",
    `Not the SSZ of a BeaconState of fulu or ${MESSAGE_BUS_FORK_NAME} in any preset: ${sizeBytes} bytes, or cut off`,
    { sizeBytes },
  );
}
