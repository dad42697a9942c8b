/** Takes the pictures of report.html and compare.html, of runs that it makes: part of `npm run screenshots`. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { LAUNCHER } from "../test/cli/run.ts";
import { findChromium, launchChromium } from "../test/page/chromium.ts";

const OUT = join(import.meta.dirname, "images");
/** Of one picture: they are in the repository. */
const MAX_BYTES = 300_000;

const executable = findChromium();
if (executable === null) throw new Error("There is no Chromium here: install it, or name it in CHROMIUM");

const dir = await mkdtemp(join(tmpdir(), "msgbus-screenshots-"));
const browser = await launchChromium(executable);
try {
  const run = ["--nodes", "24", "--rate", "5", "--messages", "40", "--latency", "cities", "--repeat", "2"];
  await measure(...run, "--out", "degree-16");
  await measure(...run, "--degree", "6", "--out", "degree-6");
  await measure("compare", "degree-16", "degree-6", "--out", "compare.html");
  await take("degree-16/seed-1/report.html", "report.png", "light");
  await take("degree-16/seed-1/report.html", "report_dark.png", "dark");
  await take("compare.html", "compare.png", "light");
} finally {
  await browser.close();
  await rm(dir, { recursive: true, force: true });
}

async function measure(...args: string[]): Promise<void> {
  await promisify(execFile)(process.execPath, [LAUNCHER, "measure", ...args], { cwd: dir });
}

async function take(file: string, name: string, colorScheme: "light" | "dark"): Promise<void> {
  const viewport = { width: 1_280, height: 1_350 };
  const page = await browser.newPage({ viewport, colorScheme, reducedMotion: "reduce" });
  await page.goto(pathToFileURL(join(dir, file)).href);
  await page.locator("canvas").first().waitFor();
  const path = join(OUT, name);
  await page.screenshot({ path });
  await page.close();
  const { size } = await stat(path);
  if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes, above ${MAX_BYTES}`);
  process.stdout.write(`docs/images/${name}: ${size} bytes\n`);
}
