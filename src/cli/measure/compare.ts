import { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { type Contender, compare, compareTable, readContender } from "../../lab/measure/compare.ts";
import { jsonOption } from "../options.ts";
import { outputOf } from "../output.ts";

export function compareCommand(): Command {
  return new Command("compare")
    .description(
      "Puts runs side by side, each over the first: directories of single runs or of --repeat. A difference counts where the\n" +
        "intervals have nothing in common; of a single run only latency and delivery have one.",
    )
    .argument("<dirs...>", "two or more directories")
    .addOption(jsonOption())
    .action(async (dirs: string[], { json }: { json: boolean }, command: Command) => {
      if (dirs.length < 2) command.error("error: give two directories or more");
      const contenders: Contender[] = [];
      for (const dir of dirs) contenders.push(await readContender(dir));
      const output = outputOf({ json }, systemClock);
      const hashes = new Set(contenders.map(({ summary }) => summary.configHash));
      const note = hashes.size === 1 ? "The same configuration." : "The configurations differ: see params.json.";
      const fields = {
        contenders: contenders.map(({ name, summary }) => ({ name, ...summary })),
        metrics: compare(contenders),
      };
      output.event("comparison", fields, `${compareTable(contenders)}\n${note}`);
    });
}
