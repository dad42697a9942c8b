import { untilAborted } from "../../../../base/abort.ts";
import type { Attack } from "../../attack.ts";

/** More than a node of ours takes in all. */
const IDENTITIES = 80;

export const eclipse: Attack = {
  name: "eclipse",
  group: "networks",
  what: "Eighty identities connect, more than the target has places for, to push its honest peers out.",
  source: "gossipsub v1.1 evaluation report; CVE-2022-23487",
  sound: "Keeps the honest peers that it has, and goes on delivering.",
  hangsUp: false,
  async run({ fixture, signal, join, note }) {
    const peers = await Promise.all(Array.from({ length: IDENTITIES }, () => join()));
    for (const peer of peers) peer?.send({ graft: [fixture.topic] });
    note("connected", peers.filter((peer) => peer?.isConnected).length);
    await untilAborted(signal);
  },
};
