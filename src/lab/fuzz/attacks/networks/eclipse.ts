import { untilAborted } from "../../../../base/abort.ts";
import type { Attack } from "../../attack.ts";

/** More than a node of ours takes in all. */
const IDENTITIES = 80;

export const eclipse: Attack = {
  name: "eclipse",
  group: "networks",
  what: "Eighty identities connect to one node of a network, more than it has places for, to push its honest peers out.",
  source: "gossipsub v1.1 evaluation report; CVE-2022-23487",
  sound: "Keeps the honest peers that it has, and hears and tells every message.",
  hangsUp: false,
  inNetwork: true,
  identities: ([target = ""]) => new Array(IDENTITIES).fill(target),
  async run({ fixture, peers, signal, note }) {
    for (const peer of peers) peer.send({ graft: [fixture.topic] });
    await untilAborted(signal);
    note("connected", peers.filter(({ isConnected }) => isConnected).length);
  },
};
