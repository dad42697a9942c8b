import { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { reportAgain } from "../../lab/measure/measure.ts";
import { reportNotes, reportTable } from "../../lab/measure/table.ts";
import { jsonOption } from "../options.ts";
import { outputOf } from "../output.ts";

export function reportCommand(): Command {
  return new Command("report")
    .description("Makes report.json and report.html of a run again, from its trace as far as it goes.")
    .argument("<dir>", "a run's directory")
    .addOption(jsonOption())
    .action(async (dir: string, { json }: { json: boolean }) => {
      const report = await reportAgain(dir);
      const output = outputOf({ json }, systemClock);
      output.event("report", { dir, ...report }, [reportTable(report), ...reportNotes(report)].join("\n"));
    });
}
