/** Verdicts as they happen: how many of each code, over time, and the newest one by one. */

import { dataTable } from "../charts/data_table.ts";
import { mount } from "../charts/mount.ts";
import { type VerdictCounts, verdictsOverTime, verdictsTable } from "../charts/verdicts.ts";
import { card, h, setText, table } from "./dom.ts";
import type { VerdictResult } from "./events.ts";
import type { VerdictLine } from "./facts.ts";
import { BIN_MS, BINS, type Model } from "./model.ts";
import { duration, plural, shorten, shortPeerId, timeOfDay } from "./text.ts";
import { nowMs } from "./time.ts";
import type { View } from "./view.ts";

/** A screen reader is told of news no more often. */
const ANNOUNCE_MS = 5_000;

/** Newest verdicts in the list. */
const LISTED = 50;

export const RESULT_WORDS: Readonly<Record<VerdictResult, string>> = {
  accept: "ACCEPT",
  ignore: "IGNORE",
  reject: "REJECT",
};

export function verdictsView(): View {
  const box = h("div", { class: "chart" });
  const totals = table("Verdicts by code", ["Code", "Result", "Count"], ["Count"]);
  const list = table("Newest verdicts", ["Time", "Node", "Verdict", "Exit", "Brought by", "Took"], ["Took"]);
  const news = h("p", { class: "visually-hidden", "aria-live": "polite" });
  let counts = emptyCounts();
  const chart = mount(box, verdictsOverTime(counts), "Verdicts by code over the last minutes");
  const figures = dataTable("Verdicts by code over time", () => verdictsTable(counts));
  const element = card("Verdicts", box, figures, totals.element, list.element, news);
  let announced = 0;
  let announcedMs = nowMs();
  let shownBin = 0;
  let shown: VerdictLine | undefined;
  return {
    element,
    update(model) {
      const bin = Math.floor(nowMs() / BIN_MS);
      const newest = model.verdicts.at(-1);
      if (bin === shownBin && newest === shown) return;
      [shownBin, shown] = [bin, newest];
      counts = countsOf(model, bin);
      chart.set(verdictsOverTime(counts));
      totals.set(
        [...model.codes.values()].map(({ code, result, total }) => ({
          key: `${code} ${result}`,
          cells: [code, { text: RESULT_WORDS[result], class: result }, { text: String(total) }],
        })),
      );
      list.set(newestRows(model));
      // Fewer than before: another run, whose verdicts are all news.
      announced = Math.min(announced, model.verdictCount);
      if (nowMs() - announcedMs < ANNOUNCE_MS || model.verdictCount === announced) return;
      const { verdictCount, verdicts } = model;
      const last = verdicts.at(-1);
      if (last !== undefined) {
        const verdict = `${RESULT_WORDS[last.result]} ${last.code} at ${last.node}`;
        setText(news, `${plural(verdictCount - announced, "new verdict")}, the last one ${verdict}`);
      }
      [announced, announcedMs] = [verdictCount, nowMs()];
    },
  };
}

function newestRows({ verdicts, verdictCount }: Model) {
  return verdicts
    .slice(-LISTED)
    .map((verdict, k, { length }) => ({ verdict, key: String(verdictCount - length + k) }))
    .reverse()
    .map(({ key, verdict: { timeMs, node, result, code, pubkey, source, from, elapsedMs } }) => ({
      key,
      cells: [
        timeOfDay(timeMs),
        { text: node, class: "nowrap" },
        { text: `${RESULT_WORDS[result]} ${code}`, class: result },
        pubkey === null ? "no operation" : { text: shorten(pubkey), class: "code", title: pubkey },
        { text: from === null ? source : shortPeerId(from), class: "nowrap" },
        duration(elapsedMs),
      ],
    }));
}

function emptyCounts(): VerdictCounts {
  return { startMs: (Math.floor(nowMs() / BIN_MS) - BINS + 1) * BIN_MS, binMs: BIN_MS, series: [] };
}

function countsOf({ codes }: Model, lastBin: number): VerdictCounts {
  const firstBin = lastBin - BINS + 1;
  const names = [...codes.values()].map(({ code }) => code);
  return {
    startMs: firstBin * BIN_MS,
    binMs: BIN_MS,
    series: [...codes.values()].map(({ code, result, bins }) => ({
      // Some codes are an IGNORE or a REJECT, as the case may be.
      code: names.filter((name) => name === code).length > 1 ? `${code} (${result})` : code,
      result,
      counts: Array.from({ length: BINS }, (_, k) => bins.get(firstBin + k) ?? 0),
    })),
  };
}
