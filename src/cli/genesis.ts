import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { systemClock } from "../base/clock.ts";
import { makeNetwork } from "../lab/genesis.ts";
import { loadIdentity } from "../network/identity.ts";
import {
  jsonOption,
  parseHex,
  parseHttpUrl,
  parseMultiaddr,
  parseNonNegativeInteger,
  parsePositiveInteger,
  parseSecondsToMs,
  repeatable,
  secondsOption,
} from "./options.ts";
import { createHumanOutput, createJsonOutput } from "./output.ts";

/** Validators of a test network: each costs a BLS key at genesis, and interop keys are for small networks. */
const MAX_VALIDATORS = 16_384;

/** The execution layer's timestamps are whole seconds. */
const MAX_SECONDS_PER_SLOT = 60;

interface GenesisFlags {
  out: string;
  validators: number;
  preset: "minimal" | "mainnet";
  secondsPerSlot: number;
  elUrl?: string;
  contract?: `0x${string}`;
  genesisDelay: number;
  forkEpoch: number;
  nodeAddress?: string[];
  json: boolean;
}

export function parseValidatorCount(value: string): number {
  const count = parsePositiveInteger(value);
  if (count > MAX_VALIDATORS) throw new InvalidArgumentError(`It must be at most ${MAX_VALIDATORS}.`);
  return count;
}

export function parseSecondsPerSlot(value: string): number {
  const seconds = parsePositiveInteger(value);
  if (seconds > MAX_SECONDS_PER_SLOT) throw new InvalidArgumentError(`It must be at most ${MAX_SECONDS_PER_SLOT}.`);
  return seconds;
}

export function genesisCommand(): Command {
  return new Command("genesis")
    .description(
      "Writes a network directory: config.yaml, genesis.ssz, bootnodes.txt, deploy_block.txt.\n" +
        "Validators have the interop keys; their exits can be asked for from anvil's development accounts.",
    )
    .requiredOption("--out <dir>", "directory to write; it must not hold a network yet")
    .option("--validators <n>", "validators, all active at genesis", parseValidatorCount, 64)
    .addOption(
      new Option("--preset <name>", "preset of the network").choices(["minimal", "mainnet"]).default("minimal"),
    )
    .option("--seconds-per-slot <s>", "slot time, whole seconds", parseSecondsPerSlot, 2)
    .option("--el-url <url>", "execution client to deploy the contract on, and to build on", parseHttpUrl)
    .option("--contract <address>", "message bus that is deployed already (default: deploys one)", parseHex(20))
    .addOption(secondsOption("--genesis-delay <s>", "from now to the first slot", 10, parseSecondsToMs))
    .option("--fork-epoch <n>", "MESSAGE_BUS_FORK_EPOCH; before it the chain is Fulu's", parseNonNegativeInteger, 0)
    .option(
      "--node-address <multiaddr>",
      "where a node of the network will be, repeatable: makes its --data-dir as nodes/0, nodes/1, … with its key, and a bootnode of it",
      repeatable(parseMultiaddr),
    )
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Without --el-url the genesis stands on no execution block: good for nodes on fixed views, not for making blocks.

Examples:
  $ anvil --no-mining &
  $ msgbus genesis --out network --el-url http://127.0.0.1:8545
  $ msgbus genesis --out network --validators 128 --seconds-per-slot 6 --el-url http://127.0.0.1:8545 --genesis-delay 30
  $ msgbus genesis --out network --node-address /dns4/node-0/tcp/9000 --node-address /dns4/node-1/tcp/9000`,
    )
    .action(runGenesis);
}

async function runGenesis(flags: GenesisFlags): Promise<void> {
  const bootnodes: string[] = [];
  for (const [index, address] of (flags.nodeAddress ?? []).entries()) {
    const { peerId } = await loadIdentity(join(flags.out, "nodes", String(index)));
    bootnodes.push(`${address}/p2p/${peerId}`);
  }
  const network = await makeNetwork(
    {
      dir: flags.out,
      validators: flags.validators,
      secondsPerSlot: flags.secondsPerSlot,
      genesisDelayMs: flags.genesisDelay,
      elUrl: flags.elUrl ?? null,
      contract: flags.contract ?? null,
      messageBusForkEpoch: flags.forkEpoch,
      bootnodes,
    },
    systemClock,
  );
  const output = flags.json ? createJsonOutput(systemClock) : createHumanOutput();
  output.event(
    "genesis",
    {
      dir: flags.out,
      contract: network.contract,
      deployBlock: network.deployBlock,
      genesisTime: network.genesisTime,
      genesisValidatorsRoot: network.genesisValidatorsRoot,
      forkDigest: network.forkDigest,
      validators: flags.validators,
      bootnodes,
    },
    [
      `network      ${flags.out}`,
      `contract     ${network.contract}${flags.elUrl === undefined ? " (not deployed: no --el-url)" : ` (block ${network.deployBlock})`}`,
      `genesis      ${new Date(network.genesisTime * 1000).toISOString()}, ${flags.validators} validators`,
      `fork digest  0x${network.forkDigest}`,
      "",
      `Start a node: msgbus node --network ${flags.out} --el-url ${flags.elUrl ?? "URL"} --validators 0..${flags.validators - 1}`,
    ].join("\n"),
  );
}
