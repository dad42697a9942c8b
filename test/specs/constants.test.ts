import { PresetName } from "@lodestar/params";
import { expect, it } from "vitest";
import { TRIGGERED_EXIT_MESSAGE_TYPE, TRIGGERED_EXIT_SIZE_BYTES } from "../../src/spec/constants.ts";
import { GOSSIP_ROOT_MARGIN, messageBusPresets } from "../../src/spec/preset.ts";
import { readConstant, readDocument, readInteger, readTableRows, SPEC_FOLDER } from "./markdown.ts";

const beaconChain = readDocument(`${SPEC_FOLDER}/beacon-chain.md`);
const p2p = readDocument(`${SPEC_FOLDER}/p2p-interface.md`);
const fork = readDocument(`${SPEC_FOLDER}/fork.md`);
const columns = [
  [PresetName.mainnet, "Mainnet"],
  [PresetName.minimal, "Minimal"],
] as const;

for (const [presetName, column] of columns) {
  it(`specification's constants: the ${presetName} preset is the code's, and names nothing else`, () => {
    const rows = readTableRows(beaconChain).filter((row) => row.Minimal !== undefined);
    const specified = rows.map((row) => [row.Name?.slice(1, -1), readInteger(row[column])]);
    expect(Object.fromEntries(specified)).toEqual(messageBusPresets[presetName]);
  });

  it(`specification's constants: the ${presetName} gossip margin is a 64th of the roots`, () => {
    const roots = messageBusPresets[presetName]?.BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR ?? 0;
    expect(readInteger(readConstant(p2p, "GOSSIP_ROOT_MARGIN")[column])).toBe(Math.floor(roots / 64));
    expect(readInteger(readConstant(p2p, "TRIGGERED_EXIT_SIZE")[column])).toBe(TRIGGERED_EXIT_SIZE_BYTES);
  });

  it(`specification's constants: the ${presetName} fork version is that of the vectors`, () => {
    const published = readTableRows(readDocument("test/vectors/README.md"));
    const vectors = published.find((row) => row.constant === "`MESSAGE_BUS_FORK_VERSION`")?.[presetName];
    expect(readConstant(fork, "MESSAGE_BUS_FORK_VERSION")[column]).toBe(`\`Version('${vectors}')\``);
  });
}

it("specification's constants: the message type is the code's", () => {
  expect(readConstant(beaconChain, "TRIGGERED_EXIT_MESSAGE_TYPE").Value).toBe("`Bytes32(b'\\x00' * 31 + b'\\x01')`");
  expect(TRIGGERED_EXIT_MESSAGE_TYPE).toEqual(Uint8Array.from([...new Uint8Array(31), 1]));
});

it("specification's constants: the active preset's margin is the code's", () => {
  expect(GOSSIP_ROOT_MARGIN).toBe(readInteger(readConstant(p2p, "GOSSIP_ROOT_MARGIN").Minimal));
});
