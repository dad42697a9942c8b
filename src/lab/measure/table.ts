import { formatValue, METRICS } from "./metrics.ts";
import type { Report } from "./report.ts";

/** One line a figure. */
export function reportTable(report: Report): string {
  const width = Math.max(...METRICS.map(({ label }) => label.length));
  return METRICS.map(({ label, unit, value }) => `${label.padEnd(width)}  ${formatValue(value(report), unit)}`).join(
    "\n",
  );
}

/** What a reader must know before the figures. */
export function reportNotes(report: Report): string[] {
  const notes: string[] = [];
  const { brokenAtLine, partial, lostLines, delivery, links, droppedRpcs, rejected } = report;
  if (brokenAtLine !== null)
    notes.push(`The trace is cut off or broken at line ${brokenAtLine}: it was read up to there.`);
  else if (partial) notes.push("The run was interrupted: the figures are of what there was.");
  if (lostLines > 0) notes.push(`The disk did not keep up: ${lostLines} lines of the trace are missing.`);
  if (delivery.undecided > 0) {
    notes.push(
      `${delivery.undecided} of ${delivery.pairs} pairs are undecided: the receiver was away, or the run over.`,
    );
  }
  if (delivery.late > 0)
    notes.push(`${delivery.late} deliveries came after the deadline of ${delivery.deadlineMs} ms.`);
  if (droppedRpcs > 0) notes.push(`${droppedRpcs} RPCs were dropped by full streams.`);
  if (rejected > 0) notes.push(`${rejected} messages were not accepted.`);
  if (links !== null && links.lateP99Ms > 10) {
    notes.push(`Links were late by ${links.lateP99Ms.toFixed(1)} ms (p99): this machine is too busy for their model.`);
  }
  return notes;
}
