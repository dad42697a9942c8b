import { untilAborted } from "../../../../base/abort.ts";
import type { Attack, AttackContext } from "../../attack.ts";

/** More than a node of ours takes in all. */
const IDENTITIES = 80;

/** Connections that hold every place the target has; those that were refused are tried no more. */
async function fill({ fixture, signal, join, note }: AttackContext): Promise<void> {
  let connected = 0;
  for (let i = 0; i < IDENTITIES && !signal.aborted; i++) {
    const peer = await join();
    if (peer === null) continue;
    connected++;
    peer.send({ graft: [fixture.topic] });
  }
  note("connected", connected);
}

export const eclipse: Attack = {
  name: "eclipse",
  group: "networks",
  what: "Eighty identities connect, more than the target has places for, to push its honest peers out.",
  source: "gossipsub v1.1 evaluation report; CVE-2022-23487",
  sound: "Keeps the honest peers that it has, and goes on delivering.",
  hangsUp: false,
  async run(context) {
    await fill(context);
    await untilAborted(context.signal);
  },
};
