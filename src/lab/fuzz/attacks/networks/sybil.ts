import { untilAborted } from "../../../../base/abort.ts";
import type { Attack } from "../../attack.ts";
import type { RawPeer } from "../../raw_peer.ts";

/** Beside two honest peers. */
const SYBILS = 40;

export const sybil: Attack = {
  name: "sybil",
  group: "networks",
  what: "Twenty silent identities for each honest peer graft themselves into the mesh, and forward nothing.",
  source: "gossipsub v1.1 evaluation report (Protocol Labs)",
  sound: "Delivers every honest message to every honest peer.",
  hangsUp: false,
  async run({ fixture, signal, join, note }) {
    const peers: (RawPeer | null)[] = [];
    while (peers.length < SYBILS && !signal.aborted) {
      const peer = await join();
      peer?.send({ graft: [fixture.topic] });
      peers.push(peer);
    }
    await untilAborted(signal);
    note("connected", peers.filter((peer) => peer?.isConnected).length);
  },
};
