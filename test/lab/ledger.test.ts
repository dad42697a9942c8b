import { expect, test } from "vitest";
import type { DevnetEvent } from "../../src/lab/devnet/events.ts";
import { Ledger } from "../../src/lab/devnet/ledger.ts";

const LEAVING = "0x09";
const VICTIM = "0x06";
const GOOD = "0x900d";
const BAD = "0xbad0";

function verdict(messageIndex: string, pubkey: string, code: string): Extract<DevnetEvent, { event: "verdict" }> {
  const result = code === "VALID" ? "accept" : "reject";
  const message = { topic: "triggered_exit", source: "execution" as const, peerId: null, pubkey, messageIndex };
  return { event: "verdict", node: "node-0", ...message, result, code, elapsedMs: 1 };
}

/** The bad message came first; then its block was taken back, and the good one came first. */
function ledgerAfterReorg(): Ledger {
  const ledger = new Ledger();
  ledger.expectExit(9, LEAVING, 0);
  ledger.onFormed("node-0", "0", VICTIM, BAD);
  ledger.onVerdict(verdict("0", VICTIM, "WRONG_SENDER"), null);
  ledger.expectDeath("wrong_sender", VICTIM, BAD);
  ledger.onFormed("node-0", "0", LEAVING, GOOD);
  ledger.onVerdict(verdict("0", LEAVING, "VALID"), null);
  ledger.onFormed("node-0", "1", VICTIM, BAD);
  ledger.onVerdict(verdict("1", VICTIM, "WRONG_SENDER"), null);
  ledger.onObserved(new Uint8Array(), { pubkey: LEAVING, messageIndex: 0n });
  ledger.onIncluded([LEAVING], 3, "0xb3", 1_000);
  ledger.onFinalized(2);
  return ledger;
}

test("ledger: a bad message keeps its fate when a reorg gives its index to a good one", () => {
  expect(ledgerAfterReorg().summary([])).toMatchObject({
    ok: true,
    bad: [{ kind: "wrong_sender", diedAt: [{ node: "node-0", code: "WRONG_SENDER" }], forwarded: false }],
  });
});

test("ledger: a bad message that reaches the observer under its new index was forwarded", () => {
  const ledger = ledgerAfterReorg();
  ledger.onObserved(new Uint8Array(), { pubkey: VICTIM, messageIndex: 1n });
  expect(ledger.summary([])).toMatchObject({ ok: false, bad: [{ forwarded: true }] });
});

test("ledger: a bad message that a node accepts spoils the run", () => {
  const ledger = ledgerAfterReorg();
  ledger.onVerdict(verdict("1", VICTIM, "VALID"), null);
  expect(ledger.summary([])).toMatchObject({ ok: false, reason: "A node accepted a bad message." });
});
