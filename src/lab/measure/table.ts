import { attackLines } from "./attack_report.ts";
import { formatValue, METRICS } from "./metrics.ts";
import type { Report } from "./report.ts";

/** Timers that fire so late say that somebody else had the processor. */
const BUSY_MS = 20;

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
  const { brokenAtLine, partial, lostLines, unmadeLinks, delivery, links, droppedRpcs, rejected, publishLateMs } =
    report;
  if (brokenAtLine !== null)
    notes.push(`The trace is cut off or broken at line ${brokenAtLine}: it was read up to there.`);
  else if (partial) notes.push("The run was interrupted: the figures are of what there was.");
  if (unmadeLinks > 0 && !partial) {
    notes.push(
      `Links never made: ${unmadeLinks}. The network was another than asked for; connecting takes some round trips, and 5 s at most.`,
    );
  }
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
  if ((publishLateMs?.p99 ?? 0) > BUSY_MS) {
    notes.push(
      `Messages were published ${publishLateMs?.p99} ms late (p99): the machine is overloaded, and latencies are its own. ` +
        "Take fewer nodes or a lower rate.",
    );
  }
  if (links !== null && links.lateP99Ms > BUSY_MS) {
    notes.push(`Links were late by ${links.lateP99Ms.toFixed(1)} ms (p99): this machine is too busy for their model.`);
  }
  return [...notes, ...attackLines(report)];
}
