import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CodedError } from "../../src/base/errors.ts";
import type { Logger } from "../../src/base/log.ts";
import type { PayloadRef } from "../../src/chain/block.ts";
import { PayloadVerifier } from "../../src/chain/payloads.ts";
import type { PayloadVerdict } from "../../src/state/execution_engine.ts";
import { MemoryEngine } from "./memory_execution.ts";
import { TestNetwork, type TestNode } from "./network.ts";

/** As before the fork: there is no root to agree with. */
const FINALIZED = { blockHash: new Uint8Array(32), blockNumber: 1, messageBusRoot: new Uint8Array(32) };
const ATTRIBUTES = {
  timestamp: 1,
  prevRandao: new Uint8Array(32),
  suggestedFeeRecipient: new Uint8Array(20),
  withdrawals: [],
  parentBeaconBlockRoot: new Uint8Array(32),
};

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

function createVerifier(engine: MemoryEngine, finalized: PayloadRef = FINALIZED): PayloadVerifier {
  return new PayloadVerifier({ engine, finalized: () => finalized, clock: network.clock, logger });
}

describe("payload verifier", () => {
  it("says SYNCING of a client that is away, and leaves it to the connection to tell of it", async () => {
    const engine = new MemoryEngine(network.world);
    const verifier = createVerifier(engine);
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
    const { inTime, final } = createVerifier(engine).verify(await block());
    await network.settle();
    network.clock.advance(1000);
    expect((await inTime).status).toBe("SYNCING");
    answer({ status: "INVALID", reason: "late" });
    expect((await final).status).toBe("INVALID");
  });

  it("tells of a throw that is no CodedError, and never throws itself", async () => {
    const engine = new MemoryEngine(network.world);
    engine.buildPayload = () => Promise.reject(new TypeError("nonsense"));
    const verifier = createVerifier(engine);
    expect(await verifier.build(new Uint8Array(32), ATTRIBUTES)).toBe(null);
    expect(lines).toEqual(["Execution client declined"]);
  });

  it("neither believes a client that contradicts the finalized root nor builds with it, and says so once", async () => {
    const engine = new MemoryEngine(network.world);
    const { payload } = (network.nodes[0] as TestNode).chain.head;
    const verifier = createVerifier(engine, { ...payload, messageBusRoot: new Uint8Array(32).fill(9) });
    for (const status of ["VALID", "INVALID"] as const) {
      engine.notifyNewPayload = async () => ({ status, reason: "" });
      expect(await verifier.verify(await block()).inTime).toEqual({
        status: "SYNCING",
        reason: "the execution client contradicts finality",
      });
    }
    expect(await verifier.build(payload.blockHash, ATTRIBUTES)).toBe(null);
    expect(lines).toEqual([expect.stringContaining("contradicts the finalized message bus root")]);
  });

  it("takes no contract at the address for a contradiction, and a block that the client does not know for none", async () => {
    const engine = new MemoryEngine(network.world);
    const finalized = { ...FINALIZED, messageBusRoot: new Uint8Array(32).fill(9) };
    expect(await createVerifier(engine, finalized).contradictsFinality()).toBe(false);
    engine.away = true;
    expect(await createVerifier(engine, finalized).contradictsFinality()).toBe(false);
    engine.getMessageRoot = () => Promise.reject(new CodedError("NO_CONTRACT", "it reverts"));
    expect(await createVerifier(engine, finalized).contradictsFinality()).toBe(true);
    expect(lines.length).toBe(1);
  });

  it("asks for the root of each finalized block once", async () => {
    const engine = new MemoryEngine(network.world);
    const root = new Uint8Array(32).fill(9);
    let asked = 0;
    engine.getMessageRoot = async () => {
      asked++;
      return root;
    };
    let finalized = { ...FINALIZED, messageBusRoot: root };
    const deps = { engine, finalized: () => finalized, clock: network.clock, logger };
    const verifier = new PayloadVerifier(deps);
    for (let i = 0; i < 3; i++) expect((await verifier.verify(await block()).inTime).status).toBe("VALID");
    expect(asked).toBe(1);
    finalized = { ...finalized, blockNumber: 2 };
    await verifier.verify(await block()).inTime;
    expect(asked).toBe(2);
  });
});
