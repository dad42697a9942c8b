/** A real anvil with the contract on it, and an engine of ours: what the tests of this folder stand on. */
import { bytesToHex, type Hex, hexToBytes } from "viem";
import { z } from "zod";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { AnvilEngine } from "../../src/execution/anvil_engine.ts";
import { type DeployedContract, deployMessageBus, encodeSentMessage } from "../../src/execution/contract.ts";
import { JsonRpc } from "../../src/execution/json_rpc.ts";
import { hashSchema } from "../../src/execution/rpc_types.ts";
import { type Anvil, anvilAccount, startAnvil } from "../../src/lab/anvil.ts";
import type { ExecutionPayload } from "../../src/spec/types.ts";
import type { PayloadAttributes } from "../../src/state/execution_engine.ts";

export const SLOT_SECONDS = 2;

export interface DevChain {
  readonly anvil: Anvil;
  readonly rpc: JsonRpc;
  readonly contract: Hex;
  readonly deployed: DeployedContract;
  readonly engine: AnvilEngine;
  /** The payload that the first built one follows. */
  readonly base: ExecutionPayload;
  /** Puts a message into the pool: exits by default, from account 0. */
  submit(payload: Uint8Array, options?: { sender?: number; messageType?: bigint }): Promise<Uint8Array>;
  /** Builds the block of the slot that is `slots` after the parent's. */
  build(parent: ExecutionPayload, slots?: number): Promise<ExecutionPayload>;
}

export async function startDevChain(): Promise<DevChain> {
  const anvil = await startAnvil({}, systemClock);
  const rpc = new JsonRpc({ url: anvil.url }, { clock: systemClock, log: silentLogger });
  const deps = { clock: systemClock, timeoutMs: 10_000, onSent: () => anvil.mine() };
  const deployed = await deployMessageBus(anvil.url, anvilAccount(0).privateKey, deps);
  const contract = deployed.address;
  const engine = createEngine(anvil, contract);
  return {
    anvil,
    rpc,
    contract,
    deployed,
    engine,
    base: await engine.getHeadPayload(),
    submit(payload, { sender = 0, messageType = 1n } = {}) {
      const from = anvilAccount(sender).address;
      const data = encodeSentMessage(messageType, payload);
      const transaction = { from, to: contract, gas: "0x100000", data };
      return rpc.request("write", "eth_sendTransaction", [transaction], hashSchema);
    },
    async build(parent, slots = 1) {
      const attributes = attributesAt(parent.timestamp + slots * SLOT_SECONDS);
      return (await engine.buildPayload(parent.blockHash, attributes)).payload;
    },
  };
}

/** One node's engine; several may share an anvil. */
export function createEngine(anvil: Anvil, contract: Hex): AnvilEngine {
  const options = { url: anvil.url, contract, contestSeconds: 2 * SLOT_SECONDS };
  return new AnvilEngine(options, { clock: systemClock, log: silentLogger });
}

export function attributesAt(timestamp: number): PayloadAttributes {
  return {
    timestamp,
    prevRandao: new Uint8Array(32).fill(7),
    suggestedFeeRecipient: hexToBytes("0x00000000000000000000000000000000000000fe"),
    withdrawals: [{ index: 0, validatorIndex: 1, address: new Uint8Array(20).fill(2), amount: 3n }],
    parentBeaconBlockRoot: new Uint8Array(32).fill(9),
  };
}

/** Whether the chain that anvil has now holds the transaction. */
export async function isMined(chain: DevChain, transactionHash: Uint8Array): Promise<boolean> {
  const receipt = await chain.rpc.request(
    "read",
    "eth_getTransactionReceipt",
    [bytesToHex(transactionHash)],
    z.unknown(),
  );
  return receipt !== null;
}
