/**
 * gossipsub: topics cannot be allowed after the construction, and what a peer announced before is lost.
 *
 * `allowedTopics` is copied (`new Set(opts.allowedTopics)`), with no way to add to it. And a subscription to a topic that is
 * not allowed yet is dropped when the peers meet, once; a node that subscribes later (a fork's topics) never learns that
 * the peer has it, and publishes to nobody.
 *
 * Fix: a method to allow topics, and remember (bounded) the subscriptions to those that are not; or take a predicate.
 */
import { conclude, sleep, startNode, startRaw, topicPeers } from "./lab.ts";

const NEXT = "next fork";
const allowedTopics = new Set(["topic"]);
const node = await startNode({ allowedTopics });
const peer = await startRaw(["topic", NEXT]);
await peer.connect(node);
allowedTopics.add(NEXT);
node.services.pubsub.subscribe(NEXT);
await sleep(1000);
const known = topicPeers(node, NEXT).includes(peer.id);
conclude(!known, `the peer's early subscription is ${known ? "known" : "lost"}`);
