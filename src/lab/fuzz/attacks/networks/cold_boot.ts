import { untilAborted } from "../../../../base/abort.ts";
import type { Attack } from "../../attack.ts";

const IDENTITIES = 20;

export const coldBoot: Attack = {
  name: "cold-boot",
  group: "networks",
  what: "Silent identities fill the mesh of a node that has just started, before any honest peer is there.",
  source: "gossipsub v1.1 evaluation report",
  sound: "Still delivers to the honest peers that come later.",
  hangsUp: false,
  async prepare({ fixture, join }) {
    const peers = await Promise.all(Array.from({ length: IDENTITIES }, () => join()));
    for (const peer of peers) peer?.send({ graft: [fixture.topic] });
  },
  async run({ signal }) {
    await untilAborted(signal);
  },
};
