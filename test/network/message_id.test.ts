import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { compressBlock } from "../../src/network/encoding.ts";
import { computeMessageId, computeRawKey } from "../../src/network/message_id.ts";
import { EXIT_TOPIC, exitBytes } from "./nodes.ts";

const OTHER_TOPIC = EXIT_TOPIC.replace("0a", "0b");

/** The specification's formula, written out. */
function expectedId(domain: string, topic: string, data: Uint8Array): string {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(topic.length));
  const all = Buffer.concat([Buffer.from(domain, "hex"), length, Buffer.from(topic), data]);
  return createHash("sha256").update(all).digest("hex").slice(0, 40);
}
const idOf = (topic: string, data: Uint8Array, max = 1132) =>
  Buffer.from(computeMessageId(topic, data, max)).toString("hex");

describe("message id", () => {
  it("hashes the topic and the decompressed payload under the domain of valid snappy", () => {
    const data = exitBytes(1);
    expect(idOf(EXIT_TOPIC, compressBlock(data))).toBe(expectedId("01000000", EXIT_TOPIC, data));
  });
  it("hashes the raw bytes under the domain of invalid snappy", () => {
    const raw = Buffer.from("no snappy at all");
    expect(idOf(EXIT_TOPIC, raw)).toBe(expectedId("00000000", EXIT_TOPIC, raw));
  });
  it("treats what claims to be too large as invalid snappy", () => {
    const wire = compressBlock(exitBytes(1));
    expect(idOf(EXIT_TOPIC, wire, 1131)).toBe(expectedId("00000000", EXIT_TOPIC, wire));
  });
  it("differs from topic to topic, so that a replay on one cannot suppress the message on another", () => {
    const wire = compressBlock(exitBytes(1));
    expect(idOf(EXIT_TOPIC, wire)).not.toBe(idOf(OTHER_TOPIC, wire));
    expect(computeRawKey(EXIT_TOPIC, wire)).not.toBe(computeRawKey(OTHER_TOPIC, wire));
  });
});
