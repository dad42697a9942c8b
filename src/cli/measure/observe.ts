import { join } from "node:path";
import { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { observe } from "../../lab/measure/observe.ts";
import { observedText } from "../../lab/measure/observed_report.ts";
import { prepareOutDir, RUN_FILES, writeObserved } from "../../lab/measure/run_dir.ts";
import {
  bounded,
  jsonOption,
  parseMultiaddr,
  parsePositiveInteger,
  parsePositiveSecondsToMs,
  repeatable,
  secondsOption,
} from "../options.ts";
import { outputOf } from "../output.ts";
import { createShutdownSignal } from "../shutdown.ts";
import { packageVersion } from "../version.ts";

/** Each takes a place in a peer's mesh. */
const MAX_OBSERVERS = 16;

interface ObserveFlags {
  peer: string[];
  network: string;
  seconds: number;
  observers: number;
  out: string;
  force: boolean;
  json: boolean;
}

export function observeCommand(): Command {
  return new Command("observe")
    .description(
      "Measures a network that is not ours, as some ordinary peers that subscribe and never forward: when messages arrive at each, " +
        "who is first, copies, mesh and IHAVE. Writes trace.ndjson and report.json.",
    )
    .requiredOption(
      "--peer <multiaddr>",
      "a peer of that network, with its /p2p/ id; repeatable",
      repeatable(parseMultiaddr),
    )
    .requiredOption("--network <dir>", "the network's directory")
    .addOption(secondsOption("--seconds <s>", "for how long", 60, parsePositiveSecondsToMs))
    .option("--observers <n>", "peers that observe", bounded(parsePositiveInteger, 1, MAX_OBSERVERS), 3)
    .option("--out <dir>", "where the files go", "msgbus-observe")
    .option("--force", "overwrite what is in --out", false)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Ctrl-C ends it early; its report is marked partial.

Examples:
  $ msgbus measure observe --peer /ip4/127.0.0.1/tcp/9000/p2p/16Uiu2… --network network --seconds 60`,
    )
    .action(async ({ peer, network, seconds, observers, out, force, json }: ObserveFlags) => {
      const signal = createShutdownSignal(systemClock);
      await prepareOutDir(out, force);
      const { stderr } = process;
      const report = await observe(
        {
          peers: peer,
          networkDir: network,
          durationMs: seconds,
          observers,
          tracePath: join(out, RUN_FILES.trace),
          version: packageVersion(),
        },
        {
          clock: systemClock,
          random: systemRandom,
          signal,
          onProgress({ elapsedMs, peers, received }) {
            if (!stderr.isTTY) return;
            const elapsed = `${(elapsedMs / 1000).toFixed(0)} of ${seconds / 1000} s`;
            stderr.write(`\r\u001b[K${elapsed}, ${peers} peers, ${received} messages`);
          },
        },
      );
      if (stderr.isTTY) stderr.write("\r\u001b[K");
      await writeObserved(out, report);
      outputOf({ json }, systemClock).event("report", { ...report }, observedText(report));
    });
}
