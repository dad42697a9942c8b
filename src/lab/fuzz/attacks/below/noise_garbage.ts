import { sleep } from "../../../../base/clock.ts";
import type { Attack } from "../../attack.ts";
import { bytesField } from "../../rpc.ts";
import { openSocket } from "../../sockets.ts";

const PER_SECOND = 40;
const MULTISTREAM = "\x13/multistream/1.0.0\n\x07/noise\n";

export const noiseGarbage: Attack = {
  name: "noise-garbage",
  group: "below",
  what: "Connects and sends garbage in the place of the handshake: before it, as its first message, of any length.",
  source: "handshake fuzzing; research/measuring.md",
  sound: "Closes the connection, and survives.",
  hangsUp: false,
  async run({ targetAddress, random, clock, signal, count, note }) {
    const openings: (() => Uint8Array)[] = [
      () => random.bytes(1 + random.below(512)),
      () => Buffer.concat([Buffer.from(MULTISTREAM, "latin1"), random.bytes(1 + random.below(512))]),
      // A noise message of a sound length and no sense; one that announces 64 kB; one with a payload of protobuf.
      () => Buffer.concat([Buffer.from(`${MULTISTREAM}\x00\x20`, "latin1"), random.bytes(32), random.bytes(200)]),
      () => Buffer.concat([Buffer.from(`${MULTISTREAM}\xff\xff`, "latin1"), random.bytes(1024)]),
      () => Buffer.concat([Buffer.from(`${MULTISTREAM}\x00\x60`, "latin1"), bytesField(1, random.bytes(94))]),
    ];
    let connections = 0;
    for (let i = 0; !signal.aborted; i++) {
      const socket = await openSocket(targetAddress);
      const bytes = (openings[i % openings.length] as () => Uint8Array)();
      socket?.write(bytes);
      connections++;
      count({ rpcs: 1, bytes: bytes.length });
      clock.after(200, () => socket?.destroy());
      await sleep(clock, 1000 / PER_SECOND, signal);
    }
    note("connections", connections);
  },
};
