import { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { type Contender, compare, compareTable, readContender } from "../../lab/measure/compare.ts";
import { COMPARISON_FILE, writeComparison } from "../../lab/measure/run_dir.ts";
import { jsonOption } from "../options.ts";
import { outputOf } from "../output.ts";

interface CompareFlags {
  out: string;
  force: boolean;
  json: boolean;
}

export function compareCommand(): Command {
  return new Command("compare")
    .description(
      "Puts runs side by side, each over the first: directories of single runs or of --repeat. A difference counts where the\n" +
        "intervals have nothing in common; of a single run only latency and delivery have one. Writes the table with charts\n" +
        "into a page.",
    )
    .argument("<dirs...>", "two or more directories")
    .option("--out <file>", "where the page goes", COMPARISON_FILE)
    .option("--force", "overwrite that file", false)
    .addOption(jsonOption())
    .action(async (dirs: string[], { out, force, json }: CompareFlags, command: Command) => {
      if (dirs.length < 2) command.error("error: give two directories or more");
      const contenders: Contender[] = [];
      for (const dir of dirs) contenders.push(await readContender(dir));
      await writeComparison(out, contenders, force);
      const output = outputOf({ json }, systemClock);
      const hashes = new Set(contenders.map(({ summary }) => summary.configHash));
      const note = hashes.size === 1 ? "The same configuration." : "The configurations differ: see params.json.";
      const fields = {
        page: out,
        contenders: contenders.map(({ name, summary }) => ({ name, ...summary })),
        metrics: compare(contenders),
      };
      output.event("comparison", fields, `${compareTable(contenders)}\n${note}\nWritten to ${out}`);
    });
}
