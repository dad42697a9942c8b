import { sleep } from "../../../../base/clock.ts";
import { compressBlock } from "../../../../network/encoding.ts";
import { formatTopic } from "../../../../network/topics.ts";
import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";

const ROUNDS = 8;
const SETTLE_MS = 40;
const DELIVERY_MS = 500;

export const crossTopic: Attack = {
  name: "cross-topic-replay",
  group: "messages",
  what: "Sends the bytes of a valid operation on other topics first, so that the genuine message looks like a copy.",
  source: "research/measuring.md: default ids leave the topic out",
  sound: "Takes the topic into the message id: the genuine message is forwarded.",
  hangsUp: false,
  async run({ fixture, clock, signal, join, takeValid, send, fault, note }) {
    const { topic, forkDigest } = fixture;
    const heard = new Set<string>();
    const listener = await join({
      onRpc: ({ messages }) => {
        for (const message of messages) {
          if (message.topic === topic) heard.add(Buffer.from(message.data ?? []).toString("base64"));
        }
      },
    });
    const hostile = await join();
    const honest = await join();
    if (listener === null || hostile === null || honest === null) return;
    listener.send({ graft: [topic] });
    await sleep(clock, SETTLE_MS, signal);
    const sent: string[] = [];
    for (let round = 0; round < ROUNDS && !signal.aborted; round++) {
      const operation = takeValid();
      if (operation === null) break;
      const data = compressBlock(operation);
      const others = [formatTopic("beacon_block", forkDigest), formatTopic("triggered_exit", "00000000"), "exits"];
      for (const other of others) send(hostile, messageFrame(other, data));
      await sleep(clock, SETTLE_MS, signal);
      honest.send({ messages: [{ topic, data }] });
      sent.push(Buffer.from(data).toString("base64"));
    }
    await sleep(clock, DELIVERY_MS);
    const lost = sent.filter((data) => !heard.has(data)).length;
    note("genuineSent", sent.length);
    if (lost > 0) fault(`${lost} of ${sent.length} genuine messages were suppressed`);
  },
};
