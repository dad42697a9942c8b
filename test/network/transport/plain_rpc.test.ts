import { RPC } from "@chainsafe/libp2p-gossipsub/message";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KnownTopics, readPlainRpc } from "../../../src/network/transport/plain_rpc.ts";

const SEED = 20_261_123;
const TOPICS = ["/eth2/0a0b0c0d/triggered_exit/ssz_snappy", "/eth2/0a0b0c0d/triggered_exjt/ssz_snappy", "/eth2/beacon"];

function knowing(...names: string[]): KnownTopics {
  const topics = new KnownTopics();
  for (const name of names) topics.learn(name);
  return topics;
}

const topics = knowing(...TOPICS);
const bytes = fc.uint8Array({ maxLength: 300 });
const plainMessage = fc.record({ data: bytes, topic: fc.constantFrom(...TOPICS) });
const plainRpc = fc.record({
  subscriptions: fc.constant<RPC.SubOpts[]>([]),
  messages: fc.array(plainMessage, { maxLength: 5 }),
});
const anyMessage = fc.record(
  {
    topic: fc.constantFrom(...TOPICS, "", "unknown"),
    data: bytes,
    from: bytes,
    seqno: bytes,
    signature: bytes,
    key: bytes,
  },
  { requiredKeys: ["topic"] },
);
const anyRpc = fc.record(
  {
    subscriptions: fc.array(fc.record({ subscribe: fc.boolean(), topic: fc.constantFrom(...TOPICS) }), {
      maxLength: 1,
    }),
    messages: fc.array(anyMessage, { maxLength: 3 }),
  },
  { requiredKeys: ["subscriptions", "messages"] },
);

describe("RPCs of plain messages", () => {
  it("are read as the library reads them", () => {
    const check = (rpc: RPC) => {
      const encoded = RPC.encode(rpc);
      const read = readPlainRpc(encoded, topics);
      if (rpc.messages.length === 0) expect(read).toBeNull();
      else expect(read).toEqual(RPC.decode(encoded));
    };
    fc.assert(fc.property(plainRpc, check), { seed: SEED });
    check({ subscriptions: [], messages: [{ topic: TOPICS[0] as string, data: new Uint8Array(300_000).fill(7) }] });
  });

  it("are the only ones that are read: whatever else there is, or spoilt, is left to the library", () => {
    const edit = fc.record({ at: fc.nat(), value: fc.nat(255), cut: fc.boolean() });
    fc.assert(
      fc.property(fc.oneof(plainRpc, anyRpc), fc.array(edit, { maxLength: 3 }), (rpc, edits) => {
        let encoded = Uint8Array.from(RPC.encode(rpc));
        for (const { at, value, cut } of edits) {
          if (encoded.length === 0) break;
          const place = at % encoded.length;
          if (cut) encoded = encoded.slice(0, place);
          else encoded[place] = value;
        }
        const read = readPlainRpc(encoded, topics);
        if (read !== null) expect(read).toEqual(RPC.decode(encoded));
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it("have a topic that is known; of many that come and go, some are forgotten", () => {
    const rpc: RPC = { subscriptions: [], messages: [{ topic: "new", data: Uint8Array.of(1) }] };
    const few = knowing("old");
    expect(readPlainRpc(RPC.encode(rpc), few)).toBeNull();
    few.learn("new");
    expect(readPlainRpc(RPC.encode(rpc), few)).toEqual(rpc);
    for (let i = 0; i < 1000; i++) few.learn(`topic ${i}`);
    expect(readPlainRpc(RPC.encode(rpc), few)).toBeNull();
    few.learn("new");
    expect(readPlainRpc(RPC.encode(rpc), few)).toEqual(rpc);
  });
});
