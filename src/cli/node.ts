/** `msgbus node`: one node of a network, until it is asked to leave. */
import { Command } from "commander";
import { untilAborted } from "../base/abort.ts";
import { systemClock } from "../base/clock.ts";
import { createLogger, type LogLevel } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { startNode } from "../node.ts";
import type { NodeEvent } from "../node_events.ts";
import {
  jsonOption,
  logLevelOption,
  parseHttpUrl,
  parseIndexRanges,
  parseMultiaddr,
  parsePort,
  repeatable,
} from "./options.ts";
import { createHumanOutput, createJsonOutput } from "./output.ts";
import { createShutdownSignal } from "./shutdown.ts";
import { nodeEventLine } from "./story.ts";
import { packageVersion } from "./version.ts";

interface NodeFlags {
  network: string;
  elUrl?: string;
  dataDir?: string;
  validators?: number[];
  listen?: string[];
  bootnode?: string[];
  apiPort: number;
  apiHost: string;
  api: boolean;
  logLevel: LogLevel;
  json: boolean;
}

export function nodeCommand(): Command {
  return new Command("node")
    .description(
      "Runs a node: gossip, chain, pool and API, checking every triggered exit against its own state before forwarding it.",
    )
    .requiredOption("--network <dir>", 'network directory, as "msgbus genesis" writes it')
    .option("--el-url <url>", "execution client (default: none; payloads stay unverified)", parseHttpUrl)
    .option("--data-dir <dir>", "keeps identity and slashing protection (default: a new identity, nothing kept)")
    .option("--validators <list>", "validators to run with interop keys, such as 0..15,20", parseIndexRanges)
    .option(
      "--listen <multiaddr>",
      "address to listen on, repeatable (default: /ip4/127.0.0.1/tcp/0)",
      repeatable(parseMultiaddr),
    )
    .option("--bootnode <multiaddr>", "peer to dial, with its /p2p/ id; repeatable", repeatable(parseMultiaddr))
    .option("--api-port <port>", "port of the API; 0 takes any free one", parsePort, 0)
    .option("--api-host <host>", "address of the API", "127.0.0.1")
    .option("--no-api", "serve no API")
    .addOption(logLevelOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  $ msgbus node --network network --el-url http://127.0.0.1:8545 --validators 0..63
  $ msgbus node --network network --bootnode /ip4/127.0.0.1/tcp/9000/p2p/16Uiu2… --api-port 5052`,
    )
    .action(runNode);
}

async function runNode(flags: NodeFlags): Promise<void> {
  const signal = createShutdownSignal(systemClock);
  const output = flags.json ? createJsonOutput(systemClock) : createHumanOutput();
  const onEvent = (event: NodeEvent): void => {
    const { event: name, ...fields } = event;
    const line = nodeEventLine(event);
    if (flags.json || line !== null) output.event(name, fields, line ?? "");
  };
  const node = await startNode(
    {
      networkDir: flags.network,
      elUrl: flags.elUrl ?? null,
      dataDir: flags.dataDir ?? null,
      validators: flags.validators ?? [],
      listen: flags.listen ?? ["/ip4/127.0.0.1/tcp/0"],
      bootnodes: flags.bootnode ?? [],
      apiPort: flags.api ? flags.apiPort : null,
      apiHost: flags.apiHost,
      version: packageVersion(),
    },
    { clock: systemClock, random: systemRandom, log: createLogger(flags.logLevel), onEvent },
  );
  await untilAborted(signal);
  await node.stop();
}
