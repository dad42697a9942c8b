/**
 * @libp2p/yamux: pings are answered at any rate.
 *
 * `handlePing` answers each request with a frame, whatever came before. Nothing above the muxer hears of it, so no
 * application can count them.
 *
 * Fix: a bound on pings (some a second), beyond which the connection is closed with GOAWAY.
 */
import { conclude, startNode, startRaw, waitFor } from "./lab.ts";

const COUNT = 20_000;
const node = await startNode();
const peer = await startRaw();
const { connection } = await peer.connect(node);
type Header = { type: number; flag: number; streamID: number; length: number };
type Muxer = { sendFrame(header: Header): void; handlePing(header: Header): void };
const { muxer } = connection as unknown as { muxer: Muxer };
let answers = 0;
muxer.handlePing = () => void answers++;
for (let i = 0; i < COUNT; i++) muxer.sendFrame({ type: 2, flag: 1, streamID: 0, length: i });
await waitFor(() => answers >= COUNT, 5000);
conclude(answers >= COUNT, `${answers} of ${COUNT} pings sent at once were answered`);
