/**
 * A stream that gathers what is written in a turn of the event loop: one frame, one noise message, one cipher call and one
 * system call for all of it. Nothing waits for a time, or for company: a lone write goes out at the end of its own turn.
 */
import type { Stream } from "@libp2p/interface";
import { Uint8ArrayList } from "uint8arraylist";
import type { Bytes } from "./bytes.ts";
import type { Turn } from "./turn.ts";
import { skipUnheardEvents } from "./unheard_events.ts";

/** What is gathered at most; what does not fit goes behind it. As much as a noise message holds after yamux's header. */
const MAX_GATHERED_BYTES = 65_519 - 12;

/** Changes the stream itself, and returns it. Bytes that are written must not change afterwards. */
export function gatherWrites(stream: Stream, turn: Turn): Stream {
  const send = stream.send.bind(stream);
  const close = stream.close.bind(stream);
  /** In order. One alone goes as it is: making a list of it, and going through that, costs as much as its copy. */
  let gathered: Bytes[] = [];
  let gatheredBytes = 0;

  /** As `send`; true where there is nothing. */
  function flush(): boolean {
    const parts = gathered;
    const [first] = parts;
    if (first === undefined) return true;
    gathered = [];
    gatheredBytes = 0;
    if (parts.length === 1) return send(first);
    const bytes = new Uint8ArrayList();
    bytes.appendAll(parts);
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
    if (data.byteLength === 0) return true;
    if (gatheredBytes + data.byteLength > MAX_GATHERED_BYTES) flush();
    gathered.push(data);
    gatheredBytes += data.byteLength;
    if (gatheredBytes >= MAX_GATHERED_BYTES || stream.writableNeedsDrain) return flush();
    turn.atEnd(flushAtEnd);
    return true;
  };
  stream.close = async (options) => {
    flushAtEnd();
    await close(options);
  };
  return skipUnheardEvents(stream);
}
