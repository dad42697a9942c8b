/**
 * gossipsub: the default message id under StrictNoSign is the hash of the data alone.
 *
 * Whoever publishes the bytes of a message on another topic first has it suppressed on its own: the id is "seen".
 *
 * Fix: take the topic into `msgIdFnStrictNoSign`, or require `msgIdFn` under StrictNoSign.
 */
import { conclude, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode({}, [TOPIC, "other"]);
const heard: string[] = [];
node.services.pubsub.addEventListener("message", ({ detail }) => void heard.push(detail.topic));
const peer = await startRaw();
await peer.connect(node);
for (const topic of ["other", TOPIC]) peer.send({ messages: [{ topic, data: Buffer.from("same bytes") }] });
await waitFor(() => heard.length === 2, 1000);
conclude(heard.length === 1, `published on two topics, heard on: ${heard.join(", ")}`);
