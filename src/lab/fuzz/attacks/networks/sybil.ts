import { untilAborted } from "../../../../base/abort.ts";
import type { Attack } from "../../attack.ts";

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
    const peers = await Promise.all(Array.from({ length: SYBILS }, () => join()));
    for (const peer of peers) peer?.send({ graft: [fixture.topic] });
    await untilAborted(signal);
    note("connected", peers.filter((peer) => peer?.isConnected).length);
  },
};
