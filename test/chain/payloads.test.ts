import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Logger } from "../../src/base/log.ts";
import { PayloadVerifier } from "../../src/chain/payloads.ts";
import type { PayloadVerdict } from "../../src/state/execution_engine.ts";
import { MemoryEngine } from "./memory_execution.ts";
import { TestNetwork, type TestNode } from "./network.ts";

let network: TestNetwork;
let lines: string[];
let logger: Logger;

beforeEach(async () => {
  network = TestNetwork.withNodes(1);
  await network.run(2);
  lines = [];
  const log = (_fields: unknown, message?: string) => lines.push(message ?? String(_fields));
  logger = { error: log, warn: log, info: log, debug: log, trace: log, child: () => logger } as unknown as Logger;
});

afterEach(() => network.stop());

async function block() {
  const { head } = (network.nodes[0] as TestNode).chain;
  const found = await (network.nodes[0] as TestNode).chain.getBlock(head.root);
  if (!found?.block.signedBlock) throw new Error("no block");
  return found.block.signedBlock;
}

describe("payload verifier", () => {
  it("says SYNCING of a client that is away, and leaves it to the connection to tell of it", async () => {
    const engine = new MemoryEngine(network.world);
    const verifier = new PayloadVerifier(engine, network.clock, logger);
    engine.away = true;
    for (let i = 0; i < 3; i++) {
      expect((await verifier.verify(await block()).inTime).status).toBe("SYNCING");
      await verifier.setForkchoice(new Uint8Array(32), new Uint8Array(32), new Uint8Array(32));
    }
    engine.away = false;
    for (let i = 0; i < 3; i++) expect((await verifier.verify(await block()).inTime).status).toBe("VALID");
    expect(lines).toEqual([]);
  });

  it("goes on without a client that hangs, and takes its answer when it comes", async () => {
    const engine = new MemoryEngine(network.world);
    let answer: (verdict: PayloadVerdict) => void = () => {};
    engine.notifyNewPayload = () => new Promise((resolve) => (answer = resolve));
    const { inTime, final } = new PayloadVerifier(engine, network.clock, logger).verify(await block());
    await network.settle();
    network.clock.advance(1000);
    expect((await inTime).status).toBe("SYNCING");
    answer({ status: "INVALID", reason: "late" });
    expect((await final).status).toBe("INVALID");
  });

  it("tells of a throw that is no CodedError, and never throws itself", async () => {
    const engine = new MemoryEngine(network.world);
    engine.buildPayload = () => Promise.reject(new TypeError("nonsense"));
    const verifier = new PayloadVerifier(engine, network.clock, logger);
    const attributes = {
      timestamp: 1,
      prevRandao: new Uint8Array(32),
      suggestedFeeRecipient: new Uint8Array(20),
      withdrawals: [],
      parentBeaconBlockRoot: new Uint8Array(32),
    };
    expect(await verifier.build(new Uint8Array(32), attributes)).toBe(null);
    expect(lines).toEqual(["Execution client declined"]);
  });
});
