import { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { type Contender, compare, compareTable, readContender } from "../../lab/measure/compare.ts";
import { compareHtml } from "../../lab/measure/report_html.ts";
import { writeComparison } from "../../lab/measure/run_dir.ts";
import { jsonOption } from "../options.ts";
import { outputOf } from "../output.ts";

interface CompareFlags {
  out?: string;
  force: boolean;
  json: boolean;
}

export function compareCommand(): Command {
  return new Command("compare")
    .description(
      "Puts runs side by side, each over the first: directories of single runs or of --repeat. A difference counts where " +
        "the intervals have nothing in common (better, worse, differs; else ≈). Of a single run only latency and delivery " +
        "have an interval.",
    )
    .argument("<dirs...>", "two or more directories")
    .option("--out <file>", "also write the table into a page, with charts")
    .option("--force", "overwrite that file", false)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Examples:
  $ msgbus measure --repeat 5 --out before
  $ msgbus measure compare before after --out compare.html`,
    )
    .action(async (dirs: string[], { out, force, json }: CompareFlags, command: Command) => {
      if (dirs.length < 2) command.error("error: give two directories or more");
      const contenders: Contender[] = [];
      for (const dir of dirs) contenders.push(await readContender(dir));
      if (out !== undefined) await writeComparison(out, compareHtml(contenders), force);
      const output = outputOf({ json }, systemClock);
      const hashes = new Set(contenders.map(({ summary }) => summary.configHash));
      const note = hashes.size === 1 ? "The same configuration." : "The configurations differ: see params.json.";
      const fields = {
        page: out ?? null,
        contenders: contenders.map(({ name, summary }) => ({ name, ...summary })),
        metrics: compare(contenders),
      };
      output.event(
        "comparison",
        fields,
        [compareTable(contenders), note, ...(out === undefined ? [] : [`Written to ${out}`])].join("\n"),
      );
    });
}
