import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { forge } from "../../specimens.ts";

const IDENTITIES = 10;

export const unknownRoots: Attack = {
  name: "unknown-roots",
  group: "messages",
  what: "Ten identities flood proofs of roots that no state stores, each different, so that parked messages pile up.",
  source: "design.md §5: rule 8 cannot tell a forged proof from a peer that is a block ahead",
  sound: "Bounds what it parks, in all and for each peer, and hangs up on all ten.",
  hangsUp: true,
  identities: ([target = ""]) => new Array(IDENTITIES).fill(target),
  async run({ fixture, peers, random, rate, flood, note }) {
    const next = () => messageFrame(fixture.topic, compressBlock(forge(fixture, fixture.bystander, random)));
    await Promise.all(peers.map((peer) => flood(peer, next, { rate: rate / IDENTITIES })));
    note("stillConnected", peers.filter((peer) => peer.isConnected).length);
  },
};
