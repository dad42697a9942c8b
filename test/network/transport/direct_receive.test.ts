import type { Stream } from "@libp2p/interface";
import { describe, expect, it } from "vitest";
import { receiveDirectly } from "../../../src/network/transport/direct_receive.ts";
import { FAST_STACK } from "../../../src/network/transport/stack.ts";
import { until } from "../nodes.ts";
import { collect, connectPair } from "./pair.ts";

type Way = "call" | "event";

/** Receives and listens, as whoever receives must; tells by which way each byte came. */
function receive(stream: Stream): { readonly bytes: number[]; readonly ways: Way[] } {
  const bytes: number[] = [];
  const ways: Way[] = [];
  const take = (part: Uint8Array, way: Way) => {
    bytes.push(...part);
    ways.push(way);
    return true;
  };
  receiveDirectly(stream, (part) => take(part, "call"));
  stream.addEventListener("message", ({ data }) => {
    for (const part of data instanceof Uint8Array ? [data] : data) take(part, "event");
  });
  return { bytes, ways };
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe("direct receive", () => {
  it("calls, and makes no event, where all who listen receive", async () => {
    const { writer, reader } = await connectPair(FAST_STACK, FAST_STACK);
    const received = receive(reader);
    for (const i of upTo(10)) {
      writer.send(Uint8Array.of(i));
      await until("the byte", () => received.bytes.length === i + 1);
    }
    expect(received.bytes).toEqual(upTo(10));
    expect(new Set(received.ways)).toEqual(new Set(["call"]));
  });

  it("gives each byte once and in order through a pause, and to one who only listens", async () => {
    const { writer, reader } = await connectPair(FAST_STACK, FAST_STACK);
    const received = receive(reader);
    writer.send(Uint8Array.of(0));
    await until("the first", () => received.bytes.length === 1);
    reader.pause();
    writer.send(Uint8Array.of(1));
    await until("it waits", () => reader.readBufferLength === 1);
    writer.send(Uint8Array.of(2));
    await until("both wait", () => reader.readBufferLength === 2);
    expect(received.bytes).toEqual([0]);
    reader.resume();
    await until("both", () => received.bytes.length === 3);
    const listener = collect(reader);
    writer.send(Uint8Array.of(3));
    await until("it hears too", () => listener.bytes().length === 1);
    expect(received.bytes).toEqual(upTo(4));
    expect(received.ways.at(-1)).toBe("event");
  });

  it("hands nothing on behind a receiver that says stop", async () => {
    const { writer, reader } = await connectPair(FAST_STACK, FAST_STACK);
    let seen = 0;
    receiveDirectly(reader, (part) => {
      seen += part.length;
      return part[0] !== 1;
    });
    reader.addEventListener("message", () => {});
    const behind = receive(reader);
    for (const i of upTo(3)) {
      writer.send(Uint8Array.of(i));
      await until("it is seen", () => seen === i + 1);
    }
    expect(behind.bytes).toEqual([0, 2]);
  });

  it("ends the stream behind its last bytes", async () => {
    const { writer, reader } = await connectPair(FAST_STACK, FAST_STACK);
    const received = receive(reader);
    const { ended } = collect(reader);
    writer.send(Uint8Array.of(7));
    await writer.close();
    await ended;
    expect(received.bytes).toEqual([7]);
  });

  it("says what is missing in a library that has changed", () => {
    expect(() => receiveDirectly({} as Stream, () => true)).toThrow(
      expect.objectContaining({ code: "LIBRARY_CHANGED" }),
    );
  });
});
