import { sleep } from "../../../../base/clock.ts";
import type { Random } from "../../../../base/random.ts";
import type { Attack } from "../../attack.ts";
import { encodeIdentify, type IdentifyFields } from "../../raw_peer.ts";
import { bytesField, varint } from "../../rpc.ts";

const INTERVAL_MS = 40;

/** Identify messages whose key is not ours, not a key, or not at all. */
const FORGERIES: readonly ((honest: IdentifyFields, random: Random) => Uint8Array)[] = [
  (honest, random) => encodeIdentify({ ...honest, publicKey: random.bytes(36) }),
  (honest) => encodeIdentify({ ...honest, publicKey: new Uint8Array() }),
  (honest) => encodeIdentify({ ...honest, publicKey: honest.publicKey.slice(0, -1) }),
  // A key of RSA, secp256k1 and of an unknown kind, each with bytes that are none.
  ...[0, 2, 9].map((type) => (honest: IdentifyFields, random: Random) => {
    const key = Buffer.concat([Uint8Array.of(0x08), varint(type), bytesField(2, random.bytes(33))]);
    return encodeIdentify({ ...honest, publicKey: key });
  }),
  (_honest, random) => random.bytes(200),
  () => new Uint8Array(),
  (honest) => encodeIdentify({ ...honest, protocols: new Array(10_000).fill("/x/1.0.0") }),
];

export const identifyBadKey: Attack = {
  name: "identify-bad-key",
  group: "below",
  what: "Answers identify with keys that are not its own, are no keys, or are missing.",
  source: "CVE-2026-110789",
  sound: "Survives, and does not take the peer for another.",
  hangsUp: false,
  async run({ targetAddress, random, clock, signal, identity, count, note }) {
    let dials = 0;
    for (let i = 0; !signal.aborted; i++) {
      const forgery = FORGERIES[i % FORGERIES.length] as (typeof FORGERIES)[number];
      const peer = await identity({ identify: (honest) => forgery(honest, random) });
      await peer.dial(targetAddress).catch(() => {});
      dials++;
      count({ rpcs: 1 });
      await sleep(clock, INTERVAL_MS, signal);
      await peer.stop();
    }
    note("dials", dials);
  },
};
