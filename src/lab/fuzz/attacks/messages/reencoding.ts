import type { Attack } from "../../attack.ts";
import { messageFrame } from "../../frames.ts";
import { reencode } from "../../mutate.ts";
import { floodAfterValid } from "./flood_after_valid.ts";

export const reencoding: Attack = {
  name: "reencoding",
  group: "messages",
  what: "Publishes a valid operation, then floods other snappy encodings of the same bytes.",
  source: "snappy is not canonical; message ids are of the payload",
  sound: "Knows all of them by one id: forwards it once, and hangs up on the flood.",
  hangsUp: true,
  run: (context) =>
    floodAfterValid(context, (operation) => messageFrame(context.fixture.topic, reencode(operation, context.random))),
};
