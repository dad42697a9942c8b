/** The page in a real Chromium, before a real devnet: it shows what the API says, and its form works. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import axe from "axe-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { startLargeNetwork } from "../../bench/page/large_network.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { PageEvent } from "../../src/lab/devnet/page/feed.ts";
import { GossipPeer } from "../../src/lab/gossip_peer.ts";
import { LAUNCHER } from "../cli/run.ts";
import { findChromium, launchChromium } from "./chromium.ts";

/** For a devnet's start on a busy machine. */
const START_DEADLINE_MS = 110_000;
/** For each thing that a test waits for; a test waits for several. */
const soon = { timeout: 30_000 };
vi.setConfig({ testTimeout: 120_000 });

const HOSTILE_AGENT = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';

interface Told {
  readonly event: string;
  readonly time: number;
  readonly [field: string]: unknown;
}

interface ReadyNode {
  readonly node: string;
  readonly apiUrl: string;
  readonly pageUrl: string;
  readonly multiaddrs: readonly string[];
}

const executable = findChromium();
if (executable === null) {
  test("page: NOT RUN in a browser, there is no Chromium on this machine (apt-get install chromium, or CHROMIUM=path)", () => {});
} else {
  describe("the page in Chromium", () => inBrowser(executable));
}

function inBrowser(executablePath: string): void {
  let browser: Browser;
  let devnet: ChildProcess;
  let hostile: GossipPeer;
  const told: Told[] = [];
  let nodes: readonly ReadyNode[] = [];
  let devnetPage: Page;
  let nodePage: Page;
  /** What no page may do, whatever happens: errors, warnings, requests to elsewhere. */
  const faults: string[] = [];

  const named = (name: string) => told.filter(({ event }) => event === name);

  beforeAll(async () => {
    const args = ["devnet", "--json", "--nodes", "3", "--seconds-per-slot", "1"];
    devnet = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const started = Promise.withResolvers<void>();
    if (devnet.stdout === null) throw new Error("The devnet has no stdout");
    createInterface({ input: devnet.stdout }).on("line", (line) => {
      const event = JSON.parse(line) as Told;
      told.push(event);
      if (event.event === "ready") started.resolve();
    });
    devnet.once("exit", (code) => started.reject(new Error(`The devnet ended with ${code}`)));
    [browser] = await Promise.all([launchChromium(executablePath), started.promise]);
    const [ready] = named("ready");
    nodes = ready?.nodes as ReadyNode[];
    hostile = await GossipPeer.start(HOSTILE_AGENT, []);
    await hostile.connect(nodes[0]?.multiaddrs[0] ?? "");
    const context = await browser.newContext({ reducedMotion: "reduce" });
    context.setDefaultTimeout(soon.timeout);
    [devnetPage, nodePage] = await Promise.all([
      open(context, String(ready?.pageUrl)),
      open(context, nodes[0]?.pageUrl ?? ""),
    ]);
  }, START_DEADLINE_MS);

  afterAll(async () => {
    await browser?.close();
    await hostile?.stop();
    if (devnet === undefined || devnet.exitCode !== null) return;
    const ended = once(devnet, "exit");
    devnet.kill("SIGTERM");
    await ended;
  }, START_DEADLINE_MS);

  afterEach(() => expect(faults.splice(0)).toEqual([]));

  async function open(context: BrowserContext, url: string): Promise<Page> {
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) faults.push(`${message.type()}: ${message.text()}`);
    });
    page.on("request", (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (protocol !== "data:" && hostname !== "127.0.0.1") faults.push(`request to ${request.url()}`);
    });
    await page.goto(url);
    await page.getByRole("status").getByText("live", { exact: true }).waitFor();
    return page;
  }

  const tile = (page: Page, name: string) =>
    page.locator(".tiles > div", { has: page.getByText(name, { exact: true }) }).locator("dd > span");
  const rows = (page: Page, caption: string) =>
    page.getByRole("region", { name: caption, exact: true }).locator("tbody tr");
  const api = async (path: string) => (await fetch(`${nodes[0]?.apiUrl}${path}`)).json() as Promise<Answer>;

  test("a node's page shows the head and the peers that its API tells", async () => {
    await expect
      .poll(async () => {
        const before = await headSlot();
        const shown = Number(await tile(nodePage, "Head slot").textContent());
        return shown >= before && shown <= (await headSlot());
      }, soon)
      .toBe(true);
    const caption = "Peers, their scores and what the guard has counted";
    const shownIds = async () => {
      const cells = await rows(nodePage, caption).locator("th").all();
      return (await Promise.all(cells.map((cell) => cell.getAttribute("title")))).sort();
    };
    const toldIds = async () => {
      const peers = (await api("/eth/v1/node/peers")).data as { peer_id: string }[];
      return peers.map(({ peer_id }) => peer_id).sort();
    };
    await expect.poll(async () => (await shownIds()).join() === (await toldIds()).join(), soon).toBe(true);
    expect((await shownIds()).length).toBeGreaterThanOrEqual(3);
  });

  test("what a hostile peer calls itself stays text", async () => {
    await nodePage.getByRole("cell", { name: HOSTILE_AGENT, exact: true }).waitFor();
    expect(await nodePage.locator("img").count()).toBe(0);
    expect(await nodePage.evaluate("window.hacked")).toBeUndefined();
  });

  test("the form tells what is wrong, and sends nothing", async () => {
    const field = devnetPage.getByLabel("Validator: index or public key");
    const alert = devnetPage.getByRole("alert");
    await field.fill("no validator");
    await devnetPage.getByRole("button", { name: "Send exit" }).click();
    await expect.poll(() => alert.textContent(), soon).toContain("Give a validator's index");
    expect(await field.getAttribute("aria-invalid")).toBe("true");
    expect(await field.evaluate("document.activeElement.name")).toBe("validator");
    // Exits can be asked for once the devnet sends its own.
    await expect.poll(() => named("message_sent").length, soon).toBeGreaterThan(0);
    await field.fill("4096");
    // Of what was sent, and not of what is typed after it.
    expect(await devnetPage.locator("form .problem").textContent()).toBe("");
    await devnetPage.getByRole("button", { name: "Send exit" }).click();
    await expect.poll(() => alert.textContent(), soon).toContain("UNKNOWN_VALIDATOR");
    // Chromium writes each request that was refused into its console.
    expect(faults.splice(0)).toEqual([expect.stringContaining("404")]);
  });

  test("the form sends an exit, and the page follows it to its block", async () => {
    await expect.poll(() => named("message_sent").length, soon).toBeGreaterThan(0);
    const taken = new Set(told.map(({ validatorIndex }) => validatorIndex));
    const index = Array.from({ length: 64 }, (_, k) => k).find((k) => !taken.has(k));
    const field = devnetPage.getByLabel("Validator: index or public key");
    await field.fill(String(index));
    await field.press("Enter");
    const followed = devnetPage.getByRole("list", { name: "Exits that were asked for" });
    const step = (name: string) =>
      followed.locator("li[data-state]", { has: devnetPage.getByText(name, { exact: true }) });
    for (const name of ["Asked for", "Transaction", "Operation", "Verdicts", "In a block", "Exit begins"]) {
      await expect.poll(() => step(name).getAttribute("data-state"), { ...soon, message: name }).toBe("done");
    }
    await devnetPage.getByRole("heading", { name: `Validator ${index},` }).waitFor();
    expect(await step("Verdicts").textContent()).toContain("ACCEPT at 3 of 3 nodes");
    const sent = named("message_sent").find(({ validatorIndex }) => validatorIndex === index);
    const slots = named("included")
      .filter(({ pubkeys }) => (pubkeys as string[]).includes(String(sent?.pubkey)))
      .map(({ slot }) => slot);
    const [, shown] = /slot (\d+)/.exec((await step("In a block").textContent()) ?? "") ?? [];
    expect(slots).toContain(Number(shown));
  });

  test("the pages show every verdict that the nodes gave", async () => {
    expect(named("verdict").length).toBeGreaterThan(0);
    const told = () => {
      const byCode = Object.groupBy(named("verdict"), ({ code, result }) => `${code} ${String(result).toUpperCase()}`);
      return Object.entries(byCode).map(([name, list = []]) => `${name} ${list.length}`);
    };
    const shown = async () => {
      const list = await rows(devnetPage, "Verdicts by code").all();
      return Promise.all(list.map(async (row) => (await row.locator("th, td").allTextContents()).join(" ")));
    };
    await expect.poll(async () => (await shown()).sort().join() === told().sort().join(), soon).toBe(true);
    await expect
      .poll(async () => Number(await tile(nodePage, "Judged").textContent()) === (await judged()), soon)
      .toBe(true);
  });

  test("a node's page shows verdicts as they come", async () => {
    // The exit that was sent came after the page.
    await expect.poll(async () => Number(await tile(nodePage, "Verdicts").textContent()), soon).toBeGreaterThan(0);
    await expect.poll(() => rows(nodePage, "Newest verdicts").count(), soon).toBeGreaterThan(0);
  });

  test("the devnet's page shows its nodes, their links, and each message's way", async () => {
    expect(await tile(devnetPage, "Nodes").textContent()).toBe("3");
    const linked = rows(devnetPage, "Nodes and their links")
      .filter({ hasText: "node-1" })
      .filter({ hasText: "node-2" });
    await expect.poll(() => linked.count(), soon).toBeGreaterThanOrEqual(2);

    const link = devnetPage.getByRole("link", { name: "page of node-1", exact: true });
    expect(await link.getAttribute("href")).toBe(nodes[1]?.pageUrl);

    const exit = named("message_sent").find(({ kind }) => kind === "exit");
    const choice = devnetPage.getByLabel("Message", { exact: true });
    const option = choice.locator("option", { hasText: `validator ${exit?.validatorIndex}: exit` });
    await choice.selectOption(await option.first().getAttribute("value"));
    const accepted = rows(devnetPage, "The message's way").filter({ hasText: "ACCEPT VALID" });
    await expect.poll(() => accepted.count(), soon).toBe(3);
    const slider = devnetPage.getByLabel("Moment");
    const moment = () => slider.getAttribute("aria-valuetext");
    await slider.focus();
    await devnetPage.keyboard.press("Home");
    await expect.poll(moment, soon).toMatch(/^0 ms after the first verdict: reached \d of 3 nodes$/);
    // What stands whenever the slider tells something new: to this reader, who wants no motion, only eighths.
    await devnetPage.evaluate(`
      window.shown = [];
      const slider = document.querySelector(".player input[type=range]");
      new MutationObserver(() => window.shown.push(Number(slider.value)))
        .observe(slider, { attributeFilter: ["aria-valuetext"] });
    `);
    await devnetPage.getByRole("button", { name: "Play" }).press("Enter");
    await devnetPage.getByRole("button", { name: "Pause" }).waitFor();
    await devnetPage.getByRole("button", { name: "Play" }).waitFor();
    expect(await moment()).toContain("reached 3 of 3 nodes");
    const shown = (await devnetPage.evaluate("window.shown")) as number[];
    expect(shown.length).toBeGreaterThan(1);
    expect(shown.filter((value) => !Number.isInteger(value * 8))).toEqual([]);
  });

  test("both pages are accessible: light and dark, wide and narrow", async () => {
    for (const page of [devnetPage, nodePage]) {
      await page.evaluate(axe.source);
      for (const [colorScheme, width] of [
        ["light", 1_280],
        ["dark", 360],
      ] as const) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        const violations = await page.evaluate(
          "axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => [id, html])))",
        );
        expect(violations).toEqual([]);
        const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        expect(overflow, `${width} pixels wide`).toBeLessThanOrEqual(0);
      }
    }
  });

  test("the keyboard reaches the content first", async () => {
    await nodePage.evaluate("document.activeElement.blur()");
    await nodePage.locator(".skip-link").focus();
    await nodePage.keyboard.press("Enter");
    expect(await nodePage.evaluate("document.activeElement.id")).toBe("main");
    await nodePage.keyboard.press("Shift+Tab");
    expect(await nodePage.evaluate("document.activeElement.textContent")).toBe("To the content");
  });

  test("a thousand nodes are shown, and a message's way through all of them", async () => {
    const network = await startLargeNetwork(1_000);
    const page = await open(devnetPage.context(), network.page.url);
    await page.getByText(`1000 nodes, ${network.links} links`).waitFor();
    network.tellMessage();
    await page.getByText(/reached 1000 of 1000 nodes/).waitFor();
    expect(await rows(page, "Nodes and their links").count()).toBe(200);
    await page.emulateMedia({ media: "print" });
    const table = page.getByRole("region", { name: "Nodes and their links", exact: true });
    const isCut = await table.evaluate(({ scrollHeight, clientHeight }) => scrollHeight > clientHeight);
    expect(isCut, "on paper").toBe(false);
    await page.close();
    await network.page.stop();
    // These nodes are only told of: none can be asked.
    expect(faults.splice(0).filter((fault) => !fault.includes("404"))).toEqual([]);
  });

  test("a devnet that begins anew takes the place of the one before, on the page too", async () => {
    const before = await startLargeNetwork(3);
    const port = Number(new URL(before.page.url).port);
    const page = await open(devnetPage.context(), before.page.url);
    for (let k = 0; k < 3; k++) before.tellMessage();
    before.page.tell({ event: "finalized", node: "node-0", epoch: 7, blockRoot: "0x" }, systemClock.nowMs());
    await expect.poll(() => tile(page, "Finalized epoch").textContent(), soon).toBe("7");
    await expect.poll(() => tile(page, "Deliveries").textContent(), soon).toBe("6");
    await page.getByText("9 new verdicts, the last one ACCEPT VALID").waitFor({ state: "attached" });
    const second = page.getByRole("rowheader", { name: "node-1", exact: true });
    const state = rows(page, "Nodes and their links").filter({ has: second }).locator("td").first();
    const tellState = (event: PageEvent) => before.page.tell(event, systemClock.nowMs());
    tellState({ event: "node_exited", node: "node-1", reason: "SIGKILL", restarting: true });
    await state.getByText("not running").waitFor();
    expect(await state.getAttribute("class")).toBe("reject");
    tellState({ event: "node_ready", node: "node-1", peerId: "peer-1", multiaddrs: [], apiUrl: null, pageUrl: null });
    await state.getByText("running", { exact: true }).waitFor();
    expect(await state.getAttribute("class")).toBe("");
    await before.page.stop();
    await page.getByRole("status").getByText("disconnected, trying again").waitFor();
    const after = await startLargeNetwork(2, port);
    await page.getByRole("status").getByText("live", { exact: true }).waitFor();
    await expect.poll(() => tile(page, "Finalized epoch").textContent(), soon).toBe("–");
    expect(await tile(page, "Deliveries").textContent()).toBe("0");
    expect(await rows(page, "Newest verdicts").count()).toBe(0);
    after.tellMessage();
    await expect.poll(() => tile(page, "Deliveries").textContent(), soon).toBe("1");
    await page.getByText("2 new verdicts, the last one ACCEPT VALID").waitFor({ state: "attached" });
    await page.close();
    await after.page.stop();
    expect(faults.splice(0).filter((fault) => !fault.includes("Failed to load resource"))).toEqual([]);
  });

  test("a devnet that has gone is told of as that, and the page keeps what it knew", async () => {
    const ended = once(devnet, "exit");
    devnet.kill("SIGTERM");
    await ended;
    await devnetPage.getByRole("status").getByText("disconnected, trying again").waitFor();
    await nodePage.getByText("The node does not answer: these are its last figures.").waitFor();
    expect(Number(await tile(devnetPage, "Verdicts").textContent())).toBeGreaterThan(0);
    const unexpected = faults.splice(0).filter((fault) => !fault.includes("Failed to load resource"));
    expect(unexpected).toEqual([]);
  });

  async function headSlot(): Promise<number> {
    return Number(((await api("/eth/v1/node/syncing")).data as { head_slot: string }).head_slot);
  }

  /** Triggered exits that gossip brought to the first node. */
  async function judged(): Promise<number> {
    const text = await (await fetch(`${nodes[0]?.apiUrl}/metrics`)).text();
    const lines = text.matchAll(/^msgbus_gossip_verdicts_total\{topic="triggered_exit".*\} (\d+)$/gm);
    return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
  }
}

interface Answer {
  readonly data: unknown;
}
