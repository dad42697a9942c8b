/** Takes the pictures of these pages, in a real Chromium before a real devnet: `npm run screenshots`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Browser, Page } from "playwright-core";
import { LAUNCHER } from "../test/cli/run.ts";
import { findChromium, launchChromium } from "../test/page/chromium.ts";

const OUT = join(import.meta.dirname, "images");
/** Of one picture: they are in the repository. */
const MAX_BYTES = 300_000;
/** For each thing that is waited for. */
const DEADLINE_MS = 120_000;

const executable = findChromium();
if (executable === null) throw new Error("There is no Chromium here: install it, or name it in CHROMIUM");

const args = ["devnet", "--json", "--nodes", "5", "--seconds-per-slot", "1", "--exits", "2"];
const devnet = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ["ignore", "pipe", "inherit"] });
const ended = once(devnet, "exit");
const browser = await launchChromium(executable);
try {
  const { pageUrl, nodes } = await readyEvent();
  const page = await open(browser, pageUrl, 1_500);
  const nodePage = await open(browser, nodes[0]?.pageUrl ?? "", 1_150);
  // The devnet's own messages have been judged, good and bad.
  await page.getByRole("cell", { name: "BAD_SNAPPY", exact: true }).or(page.getByText("BAD_SNAPPY")).first().waitFor();
  await page.getByRole("button", { name: "Send exit" }).click();
  const last = page.locator("li[data-state=done]", { hasText: "Final" });
  await last.waitFor();
  const choice = page.getByLabel("Message", { exact: true });
  const exit = choice.locator("option", { hasText: "exit" }).first();
  await choice.selectOption(await exit.getAttribute("value"));
  await take(page, "devnet.png");
  await page.emulateMedia({ colorScheme: "dark" });
  await take(page, "devnet_dark.png");
  await take(nodePage, "node.png");
} finally {
  await browser.close();
  devnet.kill("SIGTERM");
  await ended;
}

async function readyEvent(): Promise<{ pageUrl: string; nodes: { pageUrl: string }[] }> {
  for await (const line of createInterface({ input: devnet.stdout, signal: AbortSignal.timeout(DEADLINE_MS) })) {
    const event = JSON.parse(line);
    if (event.event !== "ready") continue;
    // Somebody must go on reading, or the devnet stands still.
    devnet.stdout.resume();
    return event;
  }
  throw new Error("The devnet ended before it was ready");
}

async function open(browser: Browser, url: string, height: number): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1_280, height }, reducedMotion: "reduce" });
  page.setDefaultTimeout(DEADLINE_MS);
  await page.goto(url);
  return page;
}

async function take(page: Page, name: string): Promise<void> {
  const path = join(OUT, name);
  await page.screenshot({ path });
  const { size } = await stat(path);
  if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes, above ${MAX_BYTES}`);
  process.stdout.write(`docs/images/${name}: ${size} bytes\n`);
}
