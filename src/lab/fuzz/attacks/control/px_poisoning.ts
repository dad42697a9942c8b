import { type AddressInfo, createServer } from "node:net";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { PeerRecord, RecordEnvelope } from "@libp2p/peer-record";
import { multiaddr } from "@multiformats/multiaddr";
import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";
import { controlFrame, randomPeerId } from "../../frames.ts";

const RECORDS = 12;
const INTERVAL_MS = 100;

export const pxPoisoning: Attack = {
  name: "px-poisoning",
  group: "control",
  what: "Prunes with peer exchange: signed records that lead the target to addresses of the attacker's choice.",
  source: "gossipsub 1.1: peer exchange; Kumar et al. 2022",
  sound: "Dials none of them: peer exchange is off, or for peers of high score only.",
  hangsUp: false,
  async run({ fixture, random, clock, signal, join, send, fault }) {
    let dials = 0;
    const trap = createServer((socket) => {
      dials++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => trap.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = trap.address() as AddressInfo;
      const address = multiaddr(`/ip4/127.0.0.1/tcp/${port}`);
      const peers = [{ peerId: randomPeerId(random) }, { peerId: random.bytes(34) }];
      for (let i = 0; i < RECORDS; i++) {
        const privateKey = await generateKeyPairFromSeed("Ed25519", random.bytes(32));
        const peerId = peerIdFromPrivateKey(privateKey);
        const record = new PeerRecord({ peerId, multiaddrs: [address] });
        const signedPeerRecord = (await RecordEnvelope.seal(record, privateKey)).marshal().subarray();
        peers.push({ peerId: peerId.toMultihash().bytes, signedPeerRecord } as (typeof peers)[number]);
      }
      const peer = await join();
      while (peer?.isConnected && !signal.aborted) {
        send(peer, controlFrame({ graft: [fixture.topic] }));
        send(peer, controlFrame({ prune: [{ topic: fixture.topic, backoff: 1n, peers }] }));
        await sleep(clock, INTERVAL_MS, signal);
      }
      if (dials > 0) fault(`the target dialed ${dials} addresses that a stranger gave it`);
    } finally {
      trap.close();
    }
  },
};
