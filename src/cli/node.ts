/** `msgbus node`: one node of a network, until it is asked to leave. */
import { Command, Option } from "commander";
import { untilAborted } from "../base/abort.ts";
import { systemClock } from "../base/clock.ts";
import { createLogger, type LogLevel } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { startNode } from "../node.ts";
import type { NodeDeps, RunningNode } from "../node_core.ts";
import type { NodeEvent } from "../node_events.ts";
import { startFixedNode } from "../node_fixed.ts";
import {
  jsonOption,
  logLevelOption,
  parseHostName,
  parseHttpUrl,
  parseIndexRanges,
  parseMultiaddr,
  parseNonNegativeInteger,
  parsePeerId,
  parsePort,
  repeatable,
} from "./options.ts";
import { createHumanOutput, createJsonOutput } from "./output.ts";
import { createShutdownSignal } from "./shutdown.ts";
import { nodeEventLine } from "./story.ts";
import { packageVersion } from "./version.ts";

interface NodeFlags {
  network?: string;
  preset?: string;
  state?: string;
  finalizedState?: string;
  timeMs?: number;
  elUrl?: string;
  dataDir?: string;
  validators?: number[];
  listen?: string[];
  bootnode?: string[];
  exemptPeer?: string[];
  testNetwork?: string[];
  apiPort: number;
  apiHost: string;
  apiName?: string[];
  api: boolean;
  logLevel: LogLevel;
  json: boolean;
}

export function nodeCommand(): Command {
  return new Command("node")
    .description(
      "Runs a node: gossip, chain, pool and API, checking every triggered exit against its own state before forwarding it.",
    )
    .option("--network <dir>", 'network directory, as "msgbus genesis" writes it')
    .addOption(
      new Option("--preset <name>", "instead of a network: the standard configuration, and the fork of --state")
        .choices(["minimal", "mainnet"])
        .conflicts("network"),
    )
    .addOption(
      new Option(
        "--state <file>",
        "stand still on this head state (SSZ, or .ssz_snappy): no chain, no execution client",
      ).conflicts(["elUrl", "validators"]),
    )
    .option("--finalized-state <file>", "with --state: the finalized state (default: the head state)")
    .option(
      "--time-ms <ms>",
      "with --state: Unix time at which the protocol's clock is held (default: the state's slot)",
      parseNonNegativeInteger,
    )
    .option("--el-url <url>", "execution client (default: none; payloads stay unverified)", parseHttpUrl)
    .option(
      "--data-dir <dir>",
      "keeps identity, chain, pool, bans and slashing protection (default: a new identity, nothing kept)",
    )
    .option("--validators <list>", "validators to run with interop keys, such as 0..15,20", parseIndexRanges)
    .option(
      "--listen <multiaddr>",
      "address to listen on, repeatable (default: /ip4/127.0.0.1/tcp/0)",
      repeatable(parseMultiaddr),
    )
    .option("--bootnode <multiaddr>", "peer to dial, with its /p2p/ id; repeatable", repeatable(parseMultiaddr))
    .option("--exempt-peer <peer-id>", "peer that the peer guard never hangs up, repeatable", repeatable(parsePeerId))
    .option(
      "--test-network <cidr>",
      "address range where many peers share an address, as on loopback, repeatable",
      repeatable(String),
    )
    .option("--api-port <port>", "port of the API; 0 takes any free one", parsePort, 0)
    .option("--api-host <host>", "address of the API", "127.0.0.1")
    .option("--api-name <name>", "name that a proxy or a DNS has for the API, repeatable", repeatable(parseHostName))
    .option("--no-api", "serve no API")
    .addOption(logLevelOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  $ msgbus node --network network --el-url http://127.0.0.1:8545 --validators 0..63
  $ msgbus node --network network --bootnode /ip4/127.0.0.1/tcp/9000/p2p/16Uiu2… --api-port 5052
  $ msgbus node --preset minimal --state state.ssz_snappy --finalized-state finalized_state.ssz_snappy --json`,
    )
    .action(runNode);
}

async function runNode(flags: NodeFlags, command: Command): Promise<void> {
  assertUsage(flags, command);
  const signal = createShutdownSignal(systemClock);
  const output = flags.json ? createJsonOutput(systemClock) : createHumanOutput();
  const onEvent = (event: NodeEvent): void => {
    const { event: name, ...fields } = event;
    const line = nodeEventLine(event);
    if (flags.json || line !== null) output.event(name, fields, line ?? "");
  };
  const node = await start(flags, {
    clock: systemClock,
    random: systemRandom,
    log: createLogger(flags.logLevel),
    onEvent,
  });
  await untilAborted(signal);
  await node.stop();
}

/** What commander's own checks cannot say. */
function assertUsage({ network, preset, state, finalizedState, timeMs }: NodeFlags, command: Command): void {
  if (network === undefined && preset === undefined) {
    command.error("error: required option '--network <dir>' not specified");
  }
  if (state !== undefined) return;
  const dependent = { "--preset": preset, "--finalized-state": finalizedState, "--time-ms": timeMs };
  const given = Object.entries(dependent).find(([, value]) => value !== undefined);
  if (given !== undefined) command.error(`error: option '${given[0]}' needs '--state <file>'`);
}

function start(flags: NodeFlags, deps: NodeDeps): Promise<RunningNode> {
  const common = {
    dataDir: flags.dataDir ?? null,
    listen: flags.listen ?? ["/ip4/127.0.0.1/tcp/0"],
    bootnodes: flags.bootnode ?? [],
    exemptPeers: flags.exemptPeer ?? [],
    testNetworks: flags.testNetwork ?? [],
    apiPort: flags.api ? flags.apiPort : null,
    apiHost: flags.apiHost,
    apiNames: flags.apiName ?? [],
    version: packageVersion(),
  };
  const { network, state, finalizedState, timeMs, elUrl, validators } = flags;
  if (state !== undefined) {
    const files = { stateFile: state, finalizedStateFile: finalizedState ?? null };
    return startFixedNode({ ...common, ...files, networkDir: network ?? null, timeMs: timeMs ?? null }, deps);
  }
  if (network === undefined) throw new Error("checked before");
  return startNode({ ...common, networkDir: network, elUrl: elUrl ?? null, validators: validators ?? [] }, deps);
}
