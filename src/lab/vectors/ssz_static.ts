import type { Type } from "@chainsafe/ssz";
import { toHex } from "@lodestar/utils";
import { findInexactUint } from "../../spec/exact.ts";
import * as messageBus from "../../spec/types.ts";
import { asText, type CaseDir } from "./case_dir.ts";
import { toExactType } from "./exact_types.ts";
import { type Difference, differencesOf, judge, type Runner } from "./outcome.ts";
import { decodeFile } from "./state_files.ts";

const FILE = "serialized.ssz_snappy";

const types: Readonly<Record<string, Type<unknown>>> = {
  MessageBusSignal: messageBus.MessageBusSignal,
  TriggeredExitData: messageBus.TriggeredExitData,
  TriggeredExit: messageBus.TriggeredExit,
  ExecutionPayload: messageBus.ExecutionPayload,
  ExecutionPayloadHeader: messageBus.ExecutionPayloadHeader,
  BeaconBlockBody: messageBus.BeaconBlockBody,
  BeaconBlock: messageBus.BeaconBlock,
  SignedBeaconBlock: messageBus.SignedBeaconBlock,
  BeaconState: messageBus.BeaconState,
};

/** Handlers are names of types. */
export const sszStatic: Runner = {
  handlers: Object.fromEntries(
    Object.entries(types).map(([name, type]) => [name, (dir: CaseDir) => judge(checkType(dir, type))]),
  ),
};

/**
 * Random values exceed what numbers hold, so they are checked by the type's variant with bigints. The type itself must
 * then either agree or refuse the value.
 */
function checkType(dir: CaseDir, type: Type<unknown>): Difference[] {
  const bytes = dir.readSsz(FILE);
  const expectedRoot = asText(dir.readYamlMap("roots.yaml").root, "root in roots.yaml");
  const exactType = toExactType(type);
  const value = decodeFile(FILE, exactType, bytes);
  return [
    ...differencesOf(expectedRoot, toHex(exactType.hashTreeRoot(value)), "root"),
    ...differencesOf(toHex(bytes), toHex(exactType.serialize(value)), "serialized"),
    ...(dir.has("value.yaml") ? differencesOf(dir.readYaml("value.yaml"), exactType.toJson(value)) : []),
    ...checkTypeInUse(type, bytes, expectedRoot),
  ];
}

function checkTypeInUse(type: Type<unknown>, bytes: Uint8Array, expectedRoot: string): Difference[] {
  if (findInexactUint(type, bytes) !== null) return [];
  const value = type.deserialize(bytes);
  return [
    ...differencesOf(expectedRoot, toHex(type.hashTreeRoot(value)), "root (by numbers)"),
    ...differencesOf(toHex(bytes), toHex(type.serialize(value)), "serialized (by numbers)"),
  ];
}
