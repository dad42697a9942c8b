/** `msgbus devnet`: the main job on one machine, and what `npm start` runs. */
import { Command, InvalidArgumentError } from "commander";
import { systemClock } from "../base/clock.ts";
import { CodedError } from "../base/errors.ts";
import { runDevnet } from "../lab/devnet/devnet.ts";
import type { DevnetEvent } from "../lab/devnet/events.ts";
import { parseSecondsPerSlot, parseValidatorCount } from "./genesis.ts";
import { jsonOption, parseNonNegativeInteger, parsePort, parsePositiveInteger } from "./options.ts";
import { colour, createHumanOutput, createJsonOutput } from "./output.ts";
import { createShutdownSignal } from "./shutdown.ts";
import { devnetEventLine } from "./story.ts";

/** Each node is a process of some 200 MB. */
const MAX_NODES = 64;

interface DevnetFlags {
  nodes: number;
  validators: number;
  secondsPerSlot: number;
  exits: number;
  forkEpoch: number;
  dir?: string;
  seed: number;
  page: boolean;
  pagePort: number;
  once: boolean;
  json: boolean;
}

function parseNodes(value: string): number {
  const nodes = parsePositiveInteger(value);
  if (nodes > MAX_NODES) throw new InvalidArgumentError(`It must be at most ${MAX_NODES}: each node is a process.`);
  return nodes;
}

export function devnetCommand(): Command {
  return new Command("devnet")
    .description(
      "Starts an execution client, a network of nodes and their validators; sends exits that must get through and\n" +
        "messages that must die; tells what happens to each, and goes on until Ctrl-C.",
    )
    .option("--nodes <n>", "nodes, each a process", parseNodes, 4)
    .option("--validators <n>", "validators that the nodes share", parseValidatorCount, 64)
    .option("--seconds-per-slot <s>", "slot time, whole seconds", parseSecondsPerSlot, 2)
    .option("--exits <n>", "validators that ask to exit", parsePositiveInteger, 1)
    .option(
      "--fork-epoch <n>",
      "epoch of the message-bus fork: before it the chain is Fulu's",
      parseNonNegativeInteger,
      0,
    )
    .option("--dir <dir>", "empty directory for the network, data and logs (default: a temporary one, removed)")
    .option("--seed <n>", "chooses who exits and what is forged", parseNonNegativeInteger, 1)
    .option("--page-port <port>", "port of the live page, on 127.0.0.1; 0 takes any free one", parsePort, 0)
    .option("--no-page", "serve no page")
    .option("--once", "leave when the exits are final: exit code 0, or 1 and the reason", false)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  $ msgbus devnet
  $ msgbus devnet --nodes 8 --validators 128 --exits 100 --once
  $ msgbus devnet --fork-epoch 3 --once
  $ msgbus devnet --once --json | jq 'select(.event == "verdict")'`,
    )
    .action(runCommand);
}

async function runCommand(flags: DevnetFlags): Promise<void> {
  const signal = createShutdownSignal(systemClock);
  const output = flags.json ? createJsonOutput(systemClock) : createHumanOutput();
  const startedMs = systemClock.monotonicMs();
  const onEvent = (event: DevnetEvent): void => {
    const { event: name, ...fields } = event;
    const line = devnetEventLine(event);
    if (!flags.json && line === null) return;
    const seconds = ((systemClock.monotonicMs() - startedMs) / 1000).toFixed(1).padStart(6);
    output.event(name, fields, `${colour("dim", `${seconds} s`)}  ${line}`);
  };
  if (!flags.json)
    process.stdout.write("Starting an execution client and the nodes; the chain begins in some seconds.\n");
  const ok = await runDevnet(
    {
      nodes: flags.nodes,
      validators: flags.validators,
      secondsPerSlot: flags.secondsPerSlot,
      exits: flags.exits,
      forkEpoch: flags.forkEpoch,
      dir: flags.dir ?? null,
      seed: flags.seed,
      once: flags.once,
      pagePort: flags.page ? flags.pagePort : null,
      entry: process.argv[1] ?? "",
    },
    { clock: systemClock, onEvent, signal },
  );
  if (!ok) throw new CodedError("DEVNET_FAILED", "The main job did not come to its end: see the summary");
}
