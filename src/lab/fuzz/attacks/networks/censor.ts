import { untilAborted } from "../../../../base/abort.ts";
import type { Attack } from "../../attack.ts";
import { MESHSUB_12, type RawPeer } from "../../raw_peer.ts";

const IDENTITIES = 16;

export const censor: Attack = {
  name: "censor",
  group: "networks",
  what: "Mesh members refuse by IDONTWANT whatever the target announces, and pass nothing on.",
  source: "gossipsub v1.1 evaluation report; Kumar et al. 2022 (one topic starved)",
  sound: "Minds only what a peer says of itself: honest peers hear every message.",
  hangsUp: false,
  async run({ fixture, signal, join, note }) {
    const censorOne = async () => {
      const peer: RawPeer | null = await join({
        gossipProtocols: [MESHSUB_12],
        onRpc: ({ control }) => {
          const ids = (control?.ihave ?? []).flatMap(({ messageIDs }) => messageIDs);
          if (ids.length > 0) peer?.send({ idontwant: [ids] });
        },
      });
      peer?.send({ graft: [fixture.topic] });
      return peer;
    };
    const peers = await Promise.all(Array.from({ length: IDENTITIES }, censorOne));
    await untilAborted(signal);
    note("connected", peers.filter((peer) => peer?.isConnected).length);
  },
};
