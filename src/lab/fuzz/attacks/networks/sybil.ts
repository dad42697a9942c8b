import { untilAborted } from "../../../../base/abort.ts";
import type { Attack } from "../../attack.ts";

const SYBILS_PER_HONEST = 20;

export const sybil: Attack = {
  name: "sybil",
  group: "networks",
  what: "Twenty silent identities for each honest node graft themselves into the meshes of them all, and forward nothing.",
  source: "gossipsub v1.1 evaluation report (Protocol Labs)",
  sound: "Every honest message reaches every honest node.",
  hangsUp: false,
  inNetwork: true,
  // Where there is no node but the target, the publisher and the observer are the honest.
  identities: (addresses) => {
    const count = SYBILS_PER_HONEST * Math.max(2, addresses.length);
    return Array.from({ length: count }, (_, i) => addresses[i % addresses.length] as string);
  },
  async run({ fixture, peers, signal, note }) {
    for (const peer of peers) peer.send({ graft: [fixture.topic] });
    await untilAborted(signal);
    note("connected", peers.filter(({ isConnected }) => isConnected).length);
  },
};
