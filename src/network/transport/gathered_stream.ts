/**
 * A stream that gathers what is written in a turn of the event loop: one frame, one noise message, one cipher call and one
 * system call for all of it. Nothing waits for a time, or for company: a lone write goes out at the end of its own turn.
 */
import type { Stream } from "@libp2p/interface";
import type { Turn } from "./turn.ts";

/** What is gathered at most; beyond it, it goes out at once. As much as a noise message holds after yamux's header. */
const MAX_GATHERED_BYTES = 65_519 - 12;

/** Changes the stream itself, and returns it. Bytes that are written must not change afterwards. */
export function gatherWrites(stream: Stream, turn: Turn): Stream {
  const send = stream.send.bind(stream);
  const close = stream.close.bind(stream);
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;

  /** As `send`; true where there is nothing. */
  function flush(): boolean {
    const [first, ...rest] = gathered;
    if (first === undefined) return true;
    const bytes = rest.length === 0 ? first : Buffer.concat(gathered, gatheredBytes);
    gathered = [];
    gatheredBytes = 0;
    return send(bytes);
  }

  function flushAtEnd(): void {
    try {
      flush();
    } catch {
      // Closed or aborted since: whatever else it had to send is lost as well, and its `close` event says so.
    }
  }

  stream.send = (data) => {
    // It must fail as it would, and now.
    if (stream.writeStatus !== "writable") return send(data);
    if (data instanceof Uint8Array) gathered.push(data);
    else for (const part of data) gathered.push(part);
    gatheredBytes += data.byteLength;
    if (gatheredBytes >= MAX_GATHERED_BYTES || stream.writableNeedsDrain) return flush();
    turn.atEnd(flushAtEnd);
    return true;
  };
  stream.close = async (options) => {
    flushAtEnd();
    await close(options);
  };
  return stream;
}
