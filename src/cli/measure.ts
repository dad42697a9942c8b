/** `msgbus measure`: how messages propagate in a network of real nodes, in figures that others can compare. */
import { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { compareCommand } from "./measure/compare.ts";
import { addOutOptions, addRunOptions, type OutFlags, type RunFlags } from "./measure/flags.ts";
import { observeCommand } from "./measure/observe.ts";
import { reportCommand } from "./measure/report.ts";
import { measureInto } from "./measure/run.ts";
import { sweepCommand } from "./measure/sweep.ts";
import { jsonOption } from "./options.ts";
import { outputOf } from "./output.ts";
import { createShutdownSignal } from "./shutdown.ts";

export function measureCommand(): Command {
  return (
    addOutOptions(addRunOptions(new Command("measure")))
      // Its own options stand before a subcommand's name, so that both may have --out and --json.
      .enablePositionalOptions()
      .description(
        "Runs a network of real nodes that publish triggered exits made for the run, each judged in full by every node, " +
          "and measures how they propagate. Writes params.json, trace.ndjson, report.json and report.html.",
      )
      .addOption(jsonOption())
      .addHelpText(
        "after",
        `
docs/measuring.md defines every figure. Ctrl-C ends a run early; its report is marked partial, and the exit code is 130.

Examples:
  $ msgbus measure
  $ msgbus measure --nodes 100 --latency cities --bandwidth uniform:50mbit --out cities
  $ msgbus measure --nodes 20 --attack mutation@5..15 --out attacked
  $ msgbus measure --stack stock --out stock
  $ msgbus measure --repeat 5 --seed 1 --out before
  $ msgbus measure compare before after`,
      )
      .action(run)
      .addCommand(compareCommand())
      .addCommand(sweepCommand())
      .addCommand(observeCommand())
      .addCommand(reportCommand())
  );
}

async function run(flags: RunFlags & OutFlags & { readonly json: boolean }): Promise<void> {
  await measureInto(flags, flags, createShutdownSignal(systemClock), outputOf(flags, systemClock));
}
