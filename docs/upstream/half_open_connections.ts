/**
 * libp2p: ten connections that say nothing keep everybody out.
 *
 * `acceptIncomingConnection` refuses whoever comes while `maxIncomingPendingConnections` (10) are in their handshake, and each may
 * take `inboundUpgradeTimeout` (10 s). One address, at one connection a second, closes a node to all others for good.
 *
 * Fix: a share for each address; when all are taken, the one that has lingered for longest goes, not the newest.
 */
import { connect } from "node:net";
import { noise } from "@chainsafe/libp2p-noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { conclude, sleep } from "./lab.ts";

const COUNT = 10;
/** The library refuses more than 5 connections a second from one address. */
const PAUSE_MS = 250;

async function start(listen: string[]) {
  return createLibp2p({
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  });
}

const node = await start(["/ip4/127.0.0.1/tcp/0"]);
const peer = await start([]);
const [address] = node.getMultiaddrs();
if (address === undefined) throw new Error("not listening");
for (let i = 0; i < COUNT; i++) {
  connect(Number(address.getComponents()[1]?.value), "127.0.0.1").on("error", () => {});
  await sleep(PAUSE_MS);
}
const error = await peer.dial(address).then(
  () => null,
  ({ message }: Error) => message,
);
conclude(error !== null, `with ${COUNT} silent connections an honest dial ends in: ${error ?? "a connection"}`);
