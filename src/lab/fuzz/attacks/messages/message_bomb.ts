import type { Attack, Frame } from "../../attack.ts";
import { rpcFrame } from "../../rpc.ts";
import { specimenOf } from "../../specimens.ts";

/** Below the 5,000 that gossipsub.js sends at most in answer to one IWANT, and 10 MiB. */
const MESSAGES = 4_000;
const RPCS_PER_SECOND = 4;

export const messageBomb: Attack = {
  name: "message-bomb",
  group: "messages",
  what: "Sends RPCs that hold four thousand operations each, all ignored: one frame, read in one go.",
  source: "gossipsub decode limits: an answer to IWANT may be as long",
  sound: "Does not stand still over one RPC, and hangs up.",
  hangsUp: true,
  async run({ fixture, random, join, flood, skip }) {
    const specimen = specimenOf(fixture, "PENDING_WITHDRAWAL");
    if (specimen === null) return skip("the network has no such validator that we know of");
    const { topic } = fixture;
    const frameOfMany = (): Frame => {
      const messages = Array.from({ length: MESSAGES }, () => ({ topic, data: specimen(random) }));
      return { bytes: rpcFrame({ messages }), messages: MESSAGES };
    };
    const frames = [frameOfMany(), frameOfMany()];
    const peer = await join();
    let turn = 0;
    if (peer !== null) {
      await flood(peer, () => frames[turn++ % frames.length] as Frame, { rate: RPCS_PER_SECOND });
    }
  },
};
