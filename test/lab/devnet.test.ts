import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { LAUNCHER } from "../cli/run.ts";

/** Six epochs of eight slots, the start, and a busy machine. */
const DEADLINE_MS = 110_000;

const root = z.string().regex(/^0x[0-9a-f]{64}$/);
const pubkey = z.string().regex(/^0x[0-9a-f]{96}$/);

/** What programs may rely on, by event. */
const shapes: Record<string, z.ZodType> = {
  network: z.object({ elUrl: z.url(), contract: z.string(), nodes: z.literal(3) }),
  ready: z.object({
    nodes: z.array(z.object({ node: z.string(), apiUrl: z.url(), pageUrl: z.url() })).length(3),
    pageUrl: z.url(),
  }),
  message_sent: z.object({ kind: z.string(), pubkey, transactionHash: root, messageIndex: z.string() }),
  operation_formed: z.object({ node: z.string(), pubkey, messageIndex: z.string() }),
  verdict: z.object({
    node: z.string(),
    pubkey: pubkey.nullable(),
    result: z.enum(["accept", "ignore", "reject"]),
    code: z.string().regex(/^[A-Z_]+$/),
    elapsedMs: z.number(),
  }),
  included: z.object({ slot: z.int(), blockRoot: root, pubkeys: z.array(pubkey).min(1) }),
  exit_initiated: z.object({ validatorIndex: z.int(), exitEpoch: z.int() }),
  finalized: z.object({ epoch: z.int() }),
  operation_pushed: z.object({ kind: z.string(), node: z.string() }),
  summary: z.object({
    ok: z.boolean(),
    reason: z.string().nullable(),
    apis: z.array(z.object({ url: z.url(), rssBytes: z.number().min(50e6) })),
  }),
};

interface Event {
  readonly event: string;
  readonly time: number;
  readonly [field: string]: unknown;
}

let code: number | null;
let stderr: string;
let events: Event[];

beforeAll(async () => {
  const args = ["devnet", "--once", "--json", "--nodes", "3", "--exits", "2", "--seconds-per-slot", "1"];
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const overdue = setTimeout(() => child.kill("SIGTERM"), DEADLINE_MS);
  const [stdout, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  clearTimeout(overdue);
  code = child.exitCode;
  stderr = errors;
  events = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);
}, DEADLINE_MS + 10_000);

const named = (name: string) => events.filter(({ event }) => event === name);

describe("devnet --once --json", () => {
  test("ends well, with the summary as its last word", () => {
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(events.at(-1)).toMatchObject({ event: "summary", ok: true, reason: null });
  });

  test("tells each event in its form, with the time", () => {
    for (const event of events) {
      expect(Number.isInteger(event.time)).toBe(true);
      shapes[event.event]?.parse(event);
    }
    for (const name of Object.keys(shapes)) expect(named(name), name).not.toEqual([]);
  });

  test("brings the exits into blocks, and the validators on their way out", () => {
    const asked = named("message_sent").filter(({ kind }) => kind === "exit");
    expect(asked).toHaveLength(2);
    // A reorg may bring one into a second block.
    const included = new Set(named("included").flatMap(({ pubkeys }) => pubkeys));
    expect(included).toEqual(new Set(asked.map((message) => message.pubkey)));
    const initiated = new Set(named("exit_initiated").map(({ validatorIndex }) => validatorIndex));
    expect(initiated).toEqual(new Set(asked.map(({ validatorIndex }) => validatorIndex)));
  });

  test("keeps what is bad out of blocks and off the network", () => {
    const { bad } = named("summary")[0] as unknown as { bad: { kind: string; diedAt: unknown[] }[] };
    expect(new Set(bad.map(({ kind }) => kind)).size).toBe(7);
    for (const fate of bad) {
      expect(fate).toMatchObject({ forwarded: false, inBlock: false });
      expect(fate.diedAt).not.toEqual([]);
    }
  });

  test("leaves nothing behind: no port of a node or of the execution client answers", async () => {
    const { elUrl } = named("network")[0] as unknown as { elUrl: string };
    const { nodes, pageUrl } = named("ready")[0] as unknown as {
      nodes: { apiUrl: string; multiaddrs: string[] }[];
      pageUrl: string;
    };
    const ports = [elUrl, pageUrl, ...nodes.map(({ apiUrl }) => apiUrl)].map((url) => Number(new URL(url).port));
    ports.push(...nodes.flatMap(({ multiaddrs }) => multiaddrs.map((address) => Number(address.split("/")[4]))));
    expect(ports).toHaveLength(8);
    for (const port of ports) expect(await answers(port), `port ${port}`).toBe(false);
  });
});

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const outcome = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return outcome;
}
