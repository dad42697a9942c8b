/**
 * gossipsub: `publish` without `batchPublish` sends one peer's control messages to the others.
 *
 * All peers are sent the same `rpc` object, and `sendRpc` piggybacks pending control messages and IHAVEs by mutating it
 * (its own comment: "sendRpc may mutate RPC message on piggyback, create a new message for each peer", which is not
 * done). So the second peer receives the first one's IHAVEs, GRAFTs and PRUNEs as its own.
 *
 * Fix: `createGossipRpc([rawMsg])` inside the loop.
 */
import { conclude, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode({ batchPublish: false, floodPublish: true, heartbeatInterval: 60_000 });
const [first, second] = [await startRaw(), await startRaw()];
await first.connect(node);
await second.connect(node);
const { gossip } = node.services.pubsub;
gossip.set(first.id, [{ topicID: "for the first peer alone", messageIDs: [Buffer.from("id")] }]);
await node.services.pubsub.publish(TOPIC, Buffer.from("x"));
const leaked = () =>
  second.received.some(({ control }) => control?.ihave.some(({ topicID }) => topicID === "for the first peer alone"));
await waitFor(leaked, 1000);
conclude(leaked(), `the second peer ${leaked() ? "received" : "did not receive"} the first one's IHAVE`);
