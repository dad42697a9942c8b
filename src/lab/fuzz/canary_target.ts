/**
 * A target's program that must fail: stock gossipsub with its default message id, no topic validator, no score
 * parameters, no cures. If an attack's report calls it sound, the report is wrong.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gossipsub, StrictNoSign } from "@chainsafe/libp2p-gossipsub";
import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { Counter, collectDefaultMetrics, Registry } from "prom-client";
import { untilAborted } from "../../base/abort.ts";
import { asLeashed } from "./leash.ts";
import type { ReadyEvent, TargetOptions } from "./target.ts";

const { topic } = JSON.parse(process.argv[2] ?? "") as TargetOptions;
const signal = asLeashed();
const registry = new Registry();
collectDefaultMetrics({ register: registry });
const verdicts = new Counter({
  name: "msgbus_gossip_verdicts_total",
  help: "Messages, every one of them accepted",
  labelNames: ["topic"],
  registers: [registry],
});

const libp2p = await createLibp2p({
  addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
  transports: [tcp()],
  streamMuxers: [yamux()],
  connectionEncrypters: [noise()],
  connectionManager: { inboundConnectionThreshold: Number.POSITIVE_INFINITY },
  services: {
    identify: identify(),
    pubsub: gossipsub({ globalSignaturePolicy: StrictNoSign, scoreParams: { IPColocationFactorWeight: 0 } }),
  },
});
libp2p.services.pubsub.addEventListener("gossipsub:message", () => verdicts.inc({ topic: "triggered_exit" }));
libp2p.services.pubsub.subscribe(topic);

const server = createServer((_request, response) => {
  registry.metrics().then((text) => response.end(text));
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
const ready: ReadyEvent = { multiaddrs: libp2p.getMultiaddrs().map(String), apiUrl: `http://127.0.0.1:${port}` };
process.stdout.write(`${JSON.stringify(ready)}\n`);
await untilAborted(signal);
server.close();
await libp2p.stop();
process.exit();
