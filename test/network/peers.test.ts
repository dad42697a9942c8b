import { test } from "vitest";
import { ACCEPT, startNode, until } from "./nodes.ts";

test("peers: a node whose places others fill still dials its bootnodes, when it has lost them", async () => {
  const bootnode = await startNode({ handler: ACCEPT });
  const node = await startNode({ handler: ACCEPT, bootnodes: [bootnode], options: { targetPeers: 2 } });
  await Promise.all([1, 2].map(() => startNode({ handler: ACCEPT, bootnodes: [node] })));
  await until("all are connected", () => node.network.peers().length === 3);
  const { peerId } = bootnode.network;
  bootnode.network.disconnect(node.network.peerId, "TEST");
  await until("the bootnode has hung up", () => node.backend.gone.includes(peerId));
  await until("it is back", () => node.network.peers().some((peer) => peer.peerId === peerId));
});
