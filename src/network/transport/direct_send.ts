import type { MessageStream } from "@libp2p/interface";
import { CodedError } from "../../base/errors.ts";
import type { Bytes } from "./bytes.ts";

/** What `AbstractMessageStream` has beside its interface. */
type Sender = {
  sendingData: boolean;
  sendData(data: Bytes): { readonly sentBytes: number; readonly canSendMore: boolean };
};

/**
 * Has a stream whose `sendData` takes everything, an array as well as a list, send past its write buffer, as long as that is empty and nobody has said stop: without it each layer puts all into a list, cuts it out again, copies that list, and
 * makes an event to say that it is idle. A write that cannot go at once takes the library's own way.
 */
export function sendDirectly<T extends MessageStream>(stream: T): T {
  const sender = stream as unknown as Sender;
  if (typeof sender.sendData !== "function" || typeof sender.sendingData !== "boolean") {
    throw new CodedError("LIBRARY_CHANGED", "libp2p's streams no longer have sendData and sendingData", {});
  }
  const send = stream.send.bind(stream);
  stream.send = (data) => {
    const mustQueue = stream.writableNeedsDrain || sender.sendingData || stream.writeBufferLength > 0;
    if (mustQueue || stream.status !== "open" || data.byteLength === 0) return send(data);
    sender.sendingData = true;
    try {
      const { sentBytes, canSendMore } = sender.sendData(data);
      if (sentBytes !== data.byteLength) throw new CodedError("LIBRARY_CHANGED", "libp2p's streams send in parts", {});
      if (!canSendMore) stream.writableNeedsDrain = true;
      return canSendMore;
    } catch (error) {
      stream.abort(error as Error);
      throw error;
    } finally {
      sender.sendingData = false;
    }
  };
  return stream;
}
