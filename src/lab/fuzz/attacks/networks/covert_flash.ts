import { sleep } from "../../../../base/clock.ts";
import { compressBlock } from "../../../../network/encoding.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { specimenOf } from "../../specimens.ts";

const IDENTITIES = 10;
const GOOD_DEEDS = 2;
const SETTLE_MS = 100;

export const covertFlash: Attack = {
  name: "covert-flash",
  group: "networks",
  what: "Ten identities earn a score with valid messages in the mesh, then all flood invalid ones at once.",
  source: "gossipsub v1.1 evaluation report",
  sound: "No score outweighs a flood: all are gone within a heartbeat, and honest messages arrive.",
  hangsUp: true,
  identities: ([target = ""]) => new Array(IDENTITIES).fill(target),
  async run({ fixture, peers, random, clock, signal, rate, flood, send, takeValid, note }) {
    for (const peer of peers) {
      peer.send({ graft: [fixture.topic] });
      for (let k = 0; k < GOOD_DEEDS; k++) {
        const operation = takeValid();
        if (operation !== null) send(peer, messageFrame(fixture.topic, compressBlock(operation)));
      }
    }
    await sleep(clock, SETTLE_MS, signal);
    const specimen = specimenOf(fixture, "WRONG_SENDER");
    if (specimen === null) return;
    const next = () => messageFrame(fixture.topic, specimen(random));
    await Promise.all(peers.map((peer) => flood(peer, next, { rate: rate / IDENTITIES })));
    note("stillConnected", peers.filter((peer) => peer.isConnected).length);
  },
};
