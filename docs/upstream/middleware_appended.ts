/**
 * libp2p: `use` breaks the protocol that it is used on.
 *
 * `Connection.onIncomingStream` pushes a call of the handler onto the array that `registrar.getMiddleware` returns, which is the
 * registered one: it grows with each stream that comes. `newStream` runs the same array, so from the first stream that came
 * on, the handler runs on the streams that we open, too. With a middleware on ping, which passes everything on, both sides echo
 * the echoes, no ping ends in time, and the connection monitor aborts the connection.
 *
 * Fix: `const middleware = [...registrar.getMiddleware(protocol), callHandler]`.
 */
import { noise } from "@chainsafe/libp2p-noise";
import { identify } from "@libp2p/identify";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { conclude, waitFor } from "./lab.ts";

const PING = "/ipfs/ping/1.0.0";

async function start() {
  const node = await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { pingInterval: 200, pingTimeout: { minTimeout: 1000, maxTimeout: 1000 } },
    services: { identify: identify(), ping: ping() },
  });
  node.use(PING, (stream, connection, next) => next(stream, connection));
  return node;
}

const [first, second] = await Promise.all([start(), start()]);
let isAborted = false;
first.addEventListener("peer:disconnect", () => {
  isAborted = true;
});
await first.dial(second.getMultiaddrs());
await waitFor(() => isAborted, 10_000);
type WithRegistrar = { components: { registrar: { getMiddleware(protocol: string): unknown[] } } };
const length = (first as unknown as WithRegistrar).components.registrar.getMiddleware(PING).length;
conclude(
  isAborted && length > 1,
  `${length} functions where one was registered; the connection was aborted: ${isAborted}`,
);
