import type { ContainerType } from "@chainsafe/ssz";
import { expect, it } from "vitest";
import * as types from "../../src/spec/types.ts";
import { readContainerFields, readDocument, readPythonBlocks, SPEC_FOLDER } from "./markdown.ts";

const beaconChain = readDocument(`${SPEC_FOLDER}/beacon-chain.md`);

const containers = {
  MessageBusSignal: types.MessageBusSignal,
  TriggeredExitData: types.TriggeredExitData,
  TriggeredExit: types.TriggeredExit,
  ExecutionPayload: types.ExecutionPayload,
  ExecutionPayloadHeader: types.ExecutionPayloadHeader,
  BeaconBlockBody: types.BeaconBlockBody,
  BeaconState: types.BeaconState,
};

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function fieldNames(type: ContainerType<never> | { fields: object }): string[] {
  return Object.keys(type.fields).map(snakeCase);
}

for (const [name, type] of Object.entries(containers)) {
  it(`specification's containers: ${name} has the fields of the SSZ type, in order`, () => {
    expect(readContainerFields(beaconChain, name)).toEqual(fieldNames(type));
  });
}

it("specification's containers: none is without its SSZ type", () => {
  const specified = readPythonBlocks(beaconChain).flatMap((body) => body.match(/^class (\w+)\(Container\)/)?.[1] ?? []);
  expect(specified.sort()).toEqual(Object.keys(containers).sort());
});

it("specification's fork: the upgraded state names every field once, in order", () => {
  const fork = readDocument(`${SPEC_FOLDER}/fork.md`);
  const keywords = (from: string, indent: number) => {
    const body = fork.slice(fork.indexOf(`${from}(\n`));
    const call = body.slice(0, body.indexOf(`\n${" ".repeat(indent - 4)})\n`));
    return [...call.matchAll(new RegExp(`^ {${indent}}(\\w+)=`, "gm"))].map(([, name]) => name);
  };
  expect(keywords("post = BeaconState", 8)).toEqual(fieldNames(types.BeaconState));
  expect(keywords("header = ExecutionPayloadHeader", 8)).toEqual(fieldNames(types.ExecutionPayloadHeader));
});
