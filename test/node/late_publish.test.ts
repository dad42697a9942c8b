import { expect, test } from "vitest";
import { compressBlock } from "../../src/network/encoding.ts";
import { ACCEPT, DIGEST, EXIT, EXIT_TOPIC, exitBytes, IGNORE, startLine, until } from "../network/nodes.ts";
import { startRawPeer } from "../network/raw_peer.ts";

test("late publish: what gossip brought and was ignored goes on when it turns out to be good", async () => {
  const [, middle, last] = await startLine([ACCEPT, IGNORE, ACCEPT]);
  const sender = await startRawPeer();
  await sender.connect(middle);
  const ssz = exitBytes(1);
  sender.send({ messages: [{ topic: EXIT_TOPIC, data: compressBlock(ssz) }] });
  await until("the message is ignored", () => middle.verdicts.length === 1);

  expect(await middle.network.publish(EXIT, DIGEST, ssz)).toMatchObject({ recipients: 0, duplicate: true });
  const late = await middle.network.publish(EXIT, DIGEST, ssz, { evenIfSeen: true });
  expect(late.recipients).toBeGreaterThan(0);
  await until("the message is accepted behind", () => last.verdicts.length === 1);
  expect(last.verdicts[0]?.verdict.result).toBe("accept");
});
