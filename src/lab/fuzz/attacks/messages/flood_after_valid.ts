import { compressBlock } from "../../../../network/encoding.ts";
import type { AttackContext, Frame } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";

/** One peer publishes a valid operation, and then floods what `next` makes of it. */
export async function floodAfterValid(
  { fixture, takeValid, join, send, flood, skip }: AttackContext,
  next: (operation: Uint8Array) => Frame,
): Promise<void> {
  const operation = takeValid();
  if (operation === null) return skip("no valid operation is left");
  const peer = await join();
  if (peer === null) return;
  send(peer, messageFrame(fixture.topic, compressBlock(operation)));
  await flood(peer, () => next(operation));
}
