import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { ssz } from "@lodestar/types";
import { describe, expect, test } from "vitest";
import { DEFAULT_MESSAGE_BUS_PARAMETERS, FORKS_AT_GENESIS } from "../../src/spec/config.ts";
import { ExecutionPayload } from "../../src/spec/types.ts";
import { isMessageBusState, loadState } from "../../src/state/beacon_state.ts";
import { createGenesisState } from "../../src/state/genesis.ts";
import { getInteropKeys } from "../../src/state/interop_keys.ts";

const latestPayload = {
  ...ExecutionPayload.defaultValue(),
  blockNumber: 3,
  blockHash: new Uint8Array(32).fill(7),
};
const validators = getInteropKeys(64).map(({ pubkey }) => ({
  pubkey,
  withdrawalCredentials: Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 1 : 0)),
}));

function genesis(forkEpoch: number, payload = latestPayload) {
  return createGenesisState(
    { chain: FORKS_AT_GENESIS, messageBus: { ...DEFAULT_MESSAGE_BUS_PARAMETERS, MESSAGE_BUS_FORK_EPOCH: forkEpoch } },
    { validators, genesisTime: 1_700_000_000, latestPayload: payload },
  );
}

describe("genesis", () => {
  test("is of the message-bus fork when that is scheduled at epoch 0", () => {
    const { state, config } = genesis(0);
    expect(isMessageBusState(state)).toBe(true);
    expect(state.fork.currentVersion).toEqual(config.MESSAGE_BUS_FORK_VERSION);
    expect(state.fork.previousVersion).toEqual(config.FULU_FORK_VERSION);
  });

  test("is of Fulu when the fork comes later", () => {
    const { state, config } = genesis(2);
    expect(isMessageBusState(state)).toBe(false);
    expect(state.fork.currentVersion).toEqual(config.FULU_FORK_VERSION);
  });

  test("has every validator active, and a proposer for each slot of two epochs", () => {
    const { state } = genesis(0);
    expect(state.epochCtx.currentShuffling.activeIndices.length).toBe(64);
    const lookahead = state.proposerLookahead.getAll();
    expect(lookahead.length).toBe(2 * SLOTS_PER_EPOCH);
    expect(new Set(lookahead).size).toBeGreaterThan(1);
    expect(state.epochCtx.getBeaconProposer(1)).toBe(lookahead[1]);
  });

  test("comes back from its bytes with the same root and caches", () => {
    for (const forkEpoch of [0, 1]) {
      const { state, config } = genesis(forkEpoch);
      const loaded = loadState(config, state.serialize());
      expect(loaded.hashTreeRoot()).toEqual(state.hashTreeRoot());
      expect(loaded.epochCtx.getBeaconProposer(1)).toBe(state.epochCtx.getBeaconProposer(1));
    }
  });

  test("builds on the given execution block, and stores its root unless that is zero", () => {
    const root = new Uint8Array(32).fill(9);
    const { state } = genesis(0, { ...latestPayload, messageBusRoot: root });
    if (!isMessageBusState(state)) throw new Error("not of the fork");
    expect(state.latestExecutionPayloadHeader.blockHash).toEqual(latestPayload.blockHash);
    expect(state.messageBusRoots.get(3)).toEqual(root);
    expect(state.messageBusRoots.get(4)).toEqual(new Uint8Array(32));
  });

  test("has the interop keys that every client has", () => {
    const first = getInteropKeys(1)[0];
    expect(Buffer.from(first?.pubkey ?? []).toString("hex")).toBe(
      "a99a76ed7796f7be22d5b7e85deeb7c5677e88e511e0b337618f8c4eb61349b4bf2d153f649f7b53359fe8b94a38e44c",
    );
  });

  test("refuses a validator that could not be active, and a network without any", () => {
    const options = { genesisTime: 0, latestPayload };
    const network = { chain: FORKS_AT_GENESIS, messageBus: DEFAULT_MESSAGE_BUS_PARAMETERS };
    expect(() => createGenesisState(network, { ...options, validators: [] })).toThrow(/at least one validator/);
    const poor = validators.map((validator) => ({ ...validator, balanceGwei: 31e9 }));
    expect(() => createGenesisState(network, { ...options, validators: poor })).toThrow(/to be active/);
  });

  test("derives genesis_validators_root from the registry", () => {
    const { state } = genesis(0);
    expect(state.genesisValidatorsRoot).toEqual(
      ssz.phase0.Validators.hashTreeRoot(state.validators.getAllReadonlyValues()),
    );
  });
});
