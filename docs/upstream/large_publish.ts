/**
 * gossipsub: a message above 4 MiB is marked as seen, then cannot be sent.
 *
 * `encode.single` of it-length-prefixed has a `maxDataLength` of 4 MiB, which gossipsub never sets; `maxInboundDataLength` can
 * be larger, so a node receives what it cannot forward, and `publish` throws after the message was put into `seenCache`.
 *
 * Fix: an option `maxOutboundDataLength`, checked before the message is marked.
 */
import { conclude, startNode, startRaw, TOPIC, waitFor } from "./lab.ts";

const node = await startNode({ batchPublish: true, maxInboundDataLength: 16 * 1024 * 1024 });
const peer = await startRaw();
await peer.connect(node);
await waitFor(() => node.services.pubsub.getMeshPeers(TOPIC).length === 1);
const publish = () =>
  node.services.pubsub.publish(TOPIC, new Uint8Array(5 * 1024 * 1024)).then(
    () => "sent",
    (error: Error) => error.message,
  );
const [first, second] = [await publish(), await publish()];
conclude(first !== "sent" && second === "PublishError.Duplicate", `first: ${first}; again: ${second}`);
