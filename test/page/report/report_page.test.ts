import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Contender } from "../../../src/lab/measure/compare.ts";
import { formatValue, METRICS } from "../../../src/lab/measure/metrics.ts";
import { compareHtml, type ReportPage, reportHtml } from "../../../src/lab/measure/report_html.ts";
import { summarize } from "../../../src/lab/measure/summary.ts";
import { PARAMS } from "../../lab/measure/fixture.ts";
import { findChromium, launchChromium } from "../chromium.ts";
import { makeReportPage } from "./fixture.ts";

const HOSTILE = '</script><img src=x onerror="document.title=1">{red|x}';
const TIMEOUT_MS = 60_000;
/** Rules of WCAG 2.1 up to AA. */
const AXE_RULES = { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] };

const executable = findChromium();

if (executable === null) {
  it("report.html in Chromium: NOT LOOKED AT, for there is no Chromium here: install it, or name one in CHROMIUM", () => {});
}

describe.runIf(executable !== null)("report.html in Chromium", { timeout: TIMEOUT_MS }, () => {
  let dir: string;
  let browser: Browser;
  let small: ReportPage;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "msgbus-test-"));
    browser = await launchChromium(executable ?? "");
    const names = [HOSTILE, ...Array.from({ length: 7 }, (_, k) => `peer ${k}`)];
    small = await makeReportPage({ nodes: 8, messages: 40, names }, PARAMS, `msgbus measure --topology ${HOSTILE}`);
  }, TIMEOUT_MS);
  afterAll(async () => {
    await browser.close();
    await rm(dir, { recursive: true, force: true });
  }, TIMEOUT_MS);

  /** What the page did that it must not do: requests besides itself, errors, policy violations. */
  async function open(html: string, options: Parameters<Browser["newContext"]>[0] = {}) {
    const file = join(dir, "page.html");
    await writeFile(file, html);
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    const faults: string[] = [];
    page.on("console", (message) => faults.push(message.text()));
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("request", (request) => {
      if (request.url() !== pathToFileURL(file).href) faults.push(`request ${request.url().slice(0, 100)}`);
    });
    await page.goto(pathToFileURL(file).href);
    await page.locator("canvas").first().waitFor();
    return { page, faults, close: () => context.close() };
  }

  /** Of each chart, whether anything is on its canvases. */
  function drawn(page: Page): Promise<boolean[]> {
    return page.locator("[role=img]").evaluateAll((charts) =>
      charts.map((chart) =>
        [...chart.querySelectorAll("canvas")].some((canvas) => {
          const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data;
          return pixels?.some((value: number) => value !== 0) ?? false;
        }),
      ),
    );
  }

  async function violations(page: Page): Promise<string[]> {
    // Into the page's own world past its policy, as an extension would.
    await page.evaluate(await axeSource());
    return page.evaluate(async (rules) => {
      type Axe = { run(rules: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      const found = await (globalThis as unknown as { axe: Axe }).axe.run(rules);
      return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    }, AXE_RULES);
  }

  it("draws every chart, asks nobody for anything, complains of nothing, and runs no name", async () => {
    const { page, faults, close } = await open(reportHtml(small));
    const headings = await page.locator("h2").allTextContents();
    expect(headings).toEqual([
      ...["In short", "Latency", "Deliveries by latency", "One message's way", "Deliveries over time"],
      ...["Latency over time", "Mesh degree", "Duplicates", "Figures", "Parameters"],
    ]);
    expect(await drawn(page)).toEqual(new Array(7).fill(true));
    expect(await page.title()).toBe("msgbus measure: 8 nodes");
    expect(faults).toEqual([]);
    await close();
  });

  it("tells the figures of report.json in its tables", async () => {
    const { page, close } = await open(reportHtml(small));
    const cells = await page.locator("#figures td").allTextContents();
    expect(cells).toEqual(METRICS.map(({ value, unit }) => formatValue(value(small.report), unit)));
    await page.getByText("Latency: figures as a table", { exact: true }).click();
    await page.locator("details[open] table").waitFor();
    const rows = await page.locator("details[open] tbody tr").allTextContents();
    expect(rows).toContain(
      `50 %${small.report.latencyMs.fromPublish?.p50}${small.picture.firstReceiptCdf.find(([, share]) => share >= 0.5)?.[0]}`,
    );
    await close();
  });

  it("plays a message's way by key, and steps through it", async () => {
    const { page, faults, close } = await open(reportHtml(small), { reducedMotion: "reduce" });
    const told = page.locator("output");
    // The median message is shown as it ended: seven nodes, one a millisecond.
    expect(await told.textContent()).toBe("7 ms: 7 of 7 nodes");
    await page.locator(".graph").focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    expect(await told.textContent()).toBe("5 ms: 5 of 7 nodes");
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: "Play" }).waitFor();
    expect(await told.textContent()).toBe("7 ms: 7 of 7 nodes");
    await page.getByLabel("Layout").selectOption("the network");
    await page.getByText("One message's way: figures as a table").click();
    // A table is filled once the browser tells that it was opened.
    await expect.poll(() => page.locator("details[open] tbody tr").count(), { timeout: TIMEOUT_MS }).toBe(8);
    expect(faults).toEqual([]);
    await close();
  });

  it("is accessible in light and in dark, and follows from one to the other", async () => {
    const { page, faults, close } = await open(reportHtml(small), { colorScheme: "light" });
    expect(await violations(page)).toEqual([]);
    expect(await page.locator("[role=img]").count()).toBe(7);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await violations(page)).toEqual([]);
    expect(faults).toEqual([]);
    await close();
  });

  it("is no wider than a narrow screen, and its parts are regions by their names", async () => {
    const attacks = [{ name: "mutation", fromMs: 2_000, toMs: 5_000 }] as const;
    const { page, close } = await open(reportHtml({ ...small, run: { ...small.run, params: { ...PARAMS, attacks } } }));
    await page.setViewportSize({ width: 360, height: 800 });
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
    for (const name of ["Latency", "One message's way", "Mesh degree"]) {
      expect(await page.getByRole("region", { name, exact: true }).count()).toBe(1);
    }
    await close();
  });

  it("prints in light colours, no chart wider than the paper", async () => {
    const { page, faults, close } = await open(reportHtml(small), { colorScheme: "dark" });
    await page.setViewportSize({ width: 700, height: 900 });
    await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(255, 255, 255)");
    const widths = await page
      .locator("canvas")
      .evaluateAll((all) => all.map((one) => one.getBoundingClientRect().right));
    expect(Math.max(...widths)).toBeLessThanOrEqual(700);
    await page.evaluate('dispatchEvent(new Event("afterprint"))');
    expect(faults).toEqual([]);
    await close();
  });

  it("works at 1,000 nodes", async () => {
    const { page, faults, close } = await open(
      reportHtml(await makeReportPage({ nodes: 1_000, messages: 3 }, PARAMS, "")),
      {
        reducedMotion: "reduce",
      },
    );
    await page.getByLabel("Layout").selectOption("the network");
    await page.getByRole("slider", { name: "Time" }).fill("500");
    expect(await page.locator("output").textContent()).toBe("500 ms: 500 of 999 nodes");
    expect(faults).toEqual([]);
    await close();
  });

  it("puts several runs over each other in compare.html", async () => {
    const contender = (name: string): Contender => ({
      name,
      run: null,
      summary: summarize([small.report, small.report], "0123"),
      cdfs: [small.report.latencyMs.cdf, small.report.latencyMs.cdf],
    });
    const { page, faults, close } = await open(compareHtml([contender("before"), contender(HOSTILE)]));
    expect(await drawn(page)).toEqual([true, true]);
    expect(await page.locator("#figures thead th").nth(2).textContent()).toContain(HOSTILE);
    expect(await violations(page)).toEqual([]);
    expect(faults).toEqual([]);
    await close();
  });
});

async function axeSource(): Promise<string> {
  const { source } = createRequire(import.meta.url)("axe-core") as { source: string };
  return source;
}
