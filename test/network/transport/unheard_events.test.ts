import type { Stream } from "@libp2p/interface";
import { describe, expect, it } from "vitest";
import { STOCK_STACK } from "../../../src/network/transport/stack.ts";
import { skipUnheardEvents } from "../../../src/network/transport/unheard_events.ts";
import { until } from "../nodes.ts";
import { collect, connectPair } from "./pair.ts";

/** Counts the events that a stream makes, by type. */
function countEvents(stream: Stream): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const dispatch = stream.dispatchEvent.bind(stream);
  stream.dispatchEvent = (event: Event) => {
    counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
    return dispatch(event as never);
  };
  return counts;
}

describe("unheard events", () => {
  it("canary: the library makes one for each write", async () => {
    const { reader: stream, writer: other } = await connectPair(STOCK_STACK, STOCK_STACK);
    const counts = countEvents(stream);
    const received = collect(other);
    for (let i = 0; i < 5; i++) stream.send(Uint8Array.of(i));
    await until("all", () => received.bytes().length === 5);
    expect(counts.get("idle")).toBe(5);
  });

  it("are not made, and those that somebody hears are, as long as he listens", async () => {
    const { reader, writer: other } = await connectPair(STOCK_STACK, STOCK_STACK);
    const stream = skipUnheardEvents(reader);
    const counts = countEvents(stream);
    const received = collect(other);
    stream.send(Uint8Array.of(1));
    expect(counts.get("idle")).toBeUndefined();
    let heard = 0;
    const listen = () => void heard++;
    stream.addEventListener("idle", listen);
    stream.send(Uint8Array.of(2));
    stream.removeEventListener("idle", listen);
    stream.send(Uint8Array.of(3));
    await until("all", () => received.bytes().length === 3);
    expect([heard, counts.get("idle")]).toEqual([1, 1]);
    expect([...received.bytes()]).toEqual([1, 2, 3]);
  });

  it("do not keep a stream from ending, nor one from hearing of it", async () => {
    const { reader, writer: other } = await connectPair(STOCK_STACK, STOCK_STACK);
    const stream = skipUnheardEvents(reader);
    const received = collect(other);
    const closed = Promise.withResolvers<void>();
    stream.addEventListener("close", () => closed.resolve());
    stream.send(Uint8Array.of(1));
    await stream.close();
    await received.ended;
    await other.close();
    await closed.promise;
    expect(stream.status).toBe("closed");
  });

  it("say what is missing in a library that has changed", () => {
    expect(() => skipUnheardEvents({} as Stream)).toThrow(expect.objectContaining({ code: "LIBRARY_CHANGED" }));
  });
});
