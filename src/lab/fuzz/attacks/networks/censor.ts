import { untilAborted } from "../../../../base/abort.ts";
import type { Attack } from "../../attack.ts";
import type { RawPeer } from "../../raw_peer.ts";

const IDENTITIES = 16;

export const censor: Attack = {
  name: "censor",
  group: "networks",
  what: "Mesh members tell the target by IDONTWANT and PRUNE that nobody needs its messages, and pass none on.",
  source: "gossipsub v1.1 evaluation report; Kumar et al. 2022 (one topic starved)",
  sound: "Minds only what a peer says of itself: honest peers hear every message.",
  hangsUp: false,
  async run({ fixture, signal, join, note }) {
    const peers: RawPeer[] = [];
    for (let i = 0; i < IDENTITIES && !signal.aborted; i++) {
      const peer: RawPeer | null = await join({
        gossipProtocols: ["/meshsub/1.2.0"],
        onRpc: ({ control }) => {
          const ids = (control?.ihave ?? []).flatMap(({ messageIDs }) => messageIDs);
          if (ids.length > 0) peer?.send({ idontwant: [ids] });
        },
      });
      if (peer === null) continue;
      peers.push(peer);
      peer.send({ graft: [fixture.topic] });
    }
    await untilAborted(signal);
    note("connected", peers.filter(({ isConnected }) => isConnected).length);
  },
};
