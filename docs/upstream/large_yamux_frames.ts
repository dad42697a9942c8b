/**
 * @libp2p/yamux: a data frame is as large as the other side's window.
 *
 * `sendData` puts into one frame what fits `sendWindowCapacity`, which the other side's updates raise. rust-libp2p's windows
 * grow by themselves, and its yamux ends the connection at a frame above 1 MiB (`MAX_FRAME_BODY_LEN`): a gossip message of more
 * than that cuts such a peer off.
 *
 * Fix: a `maxMessageSize` of at most 256 KiB, whatever the window.
 */
import { conclude, startNode, startRaw } from "./lab.ts";

const MIB = 1024 * 1024;
const node = await startNode();
const peer = await startRaw();
const { stream } = await peer.connect(node);
type Header = { type: number; flag: number; streamID: number; length: number };
const inner = stream as unknown as {
  handleWindowUpdate(frame: { header: Header }): void;
  sendFrame(header: Header): boolean;
};
inner.handleWindowUpdate({ header: { type: 1, flag: 0, streamID: 1, length: 4 * MIB } });
let largest = 0;
inner.sendFrame = ({ length }) => {
  largest = Math.max(largest, length);
  return true;
};
stream.send(new Uint8Array(3 * MIB));
conclude(largest > MIB, `3 MiB went out in frames of up to ${largest} bytes`);
