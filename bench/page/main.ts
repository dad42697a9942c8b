/**
 * The page with a thousand nodes, in Chromium: how long it stands still when it is opened, while verdicts pour in, and
 * while a message's way is played. `node bench/page/main.ts [nodes]`; exit code 1 where a task takes longer than a reader
 * would put up with.
 */
import { sleep, systemClock } from "../../src/base/clock.ts";
import { findChromium, launchChromium } from "../../test/page/chromium.ts";
import { startLargeNetwork } from "./large_network.ts";

const MAX_TASK_MS = 3_000;
const MESSAGES = 5;
const DEADLINE_MS = 60_000;

/** Tasks above 50 ms, as browsers count them. */
const WATCH = `
  window.longTasks = [];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.longTasks.push(Math.round(duration));
  }).observe({ type: "longtask", buffered: true });
`;

const executable = findChromium();
if (executable === null) throw new Error("There is no Chromium here: install it, or name it in CHROMIUM");
const nodes = Number(process.argv[2] ?? 1_000);
const network = await startLargeNetwork(nodes);
const browser = await launchChromium(executable);
// Ways play when they are asked to, and not with each message.
const page = await browser.newPage({ reducedMotion: "reduce" });
page.setDefaultTimeout(DEADLINE_MS);
await page.addInitScript(WATCH);

let slowestMs = 0;
async function phase(name: string, run: () => Promise<unknown>): Promise<void> {
  const startMs = systemClock.monotonicMs();
  await run();
  const tasks = (await page.evaluate("window.longTasks.splice(0)")) as number[];
  const longestMs = Math.max(0, ...tasks);
  slowestMs = Math.max(slowestMs, longestMs);
  const allMs = Math.round(systemClock.monotonicMs() - startMs);
  process.stdout.write(`${name}: ${allMs} ms, ${tasks.length} tasks above 50 ms, the longest ${longestMs} ms\n`);
}

process.stdout.write(`${nodes} nodes, ${network.links} links\n`);
await phase("opened", async () => {
  await page.goto(network.page.url);
  await page.getByText(`${nodes} nodes, ${network.links} links`).waitFor();
});
const slider = page.getByLabel("Moment");
const reachedAll = new RegExp(`reached ${nodes} of ${nodes} nodes`);
const allReached = () => page.getByText(reachedAll).waitFor();
await phase("first message", async () => {
  network.tellMessage();
  await allReached();
});
await phase(`${MESSAGES} messages more, ${nodes} verdicts each`, async () => {
  for (let k = 0; k < MESSAGES; k++) {
    network.tellMessage();
    // A stream whose reader is a whole megabyte behind is cut.
    await sleep(systemClock, 500);
  }
  await page
    .getByText(String((MESSAGES + 1) * nodes), { exact: true })
    .first()
    .waitFor();
});
await phase("its way played", async () => {
  await slider.focus();
  await page.keyboard.press("Home");
  await page.getByRole("button", { name: "Play" }).click();
  await allReached();
});
await browser.close();
await network.page.stop();
if (slowestMs > MAX_TASK_MS) {
  process.stdout.write(`A task took ${slowestMs} ms: the page stood still for longer than ${MAX_TASK_MS} ms\n`);
  process.exitCode = 1;
}
