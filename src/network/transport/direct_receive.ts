import type { MessageStream } from "@libp2p/interface";
import { CodedError } from "../../base/errors.ts";
import type { Bytes } from "./bytes.ts";

/** False: whoever registered later does not see these bytes. Must not throw. */
export type Receiver = (bytes: Uint8Array) => boolean;

/** What `AbstractMessageStream` has beside its interface. */
type Source = {
  readonly readStatus: string;
  readonly remoteWriteStatus: string;
  onData(data: Bytes): void;
  listenerCount(type: string): number;
};

const receiversOf = new WeakMap<MessageStream, Receiver[]>();

/**
 * Has `receiver` called with what comes on a stream, past its read buffer: without it each layer puts all into a list, cuts it
 * out again, and makes an event of it. The direct way is taken only where the stream reads, nothing waits in it, and each of
 * its `message` listeners has a receiver; else the event comes instead. So whoever receives also listens, and has each byte once.
 */
export function receiveDirectly(stream: MessageStream, receiver: Receiver): void {
  const others = receiversOf.get(stream);
  if (others !== undefined) {
    others.push(receiver);
    return;
  }
  const source = stream as unknown as Source;
  const isKnown = typeof source.onData === "function" && typeof source.listenerCount === "function";
  if (!isKnown || typeof source.readStatus !== "string" || typeof source.remoteWriteStatus !== "string") {
    throw new CodedError(
      "LIBRARY_CHANGED",
      "libp2p's streams no longer have onData, listenerCount and their statuses",
      {},
    );
  }
  const receivers = [receiver];
  receiversOf.set(stream, receivers);
  const onData = source.onData.bind(stream);

  function hand(part: Uint8Array): void {
    for (const receive of receivers) if (!receive(part)) return;
  }

  source.onData = (data) => {
    const isDirect =
      receivers.length === source.listenerCount("message") &&
      source.readStatus === "readable" &&
      stream.readBufferLength === 0 &&
      // The library ends the stream behind the last bytes.
      source.remoteWriteStatus === "writable";
    if (!isDirect) onData(data);
    else if (data instanceof Uint8Array) hand(data);
    else for (const part of data) hand(part);
  };
}
