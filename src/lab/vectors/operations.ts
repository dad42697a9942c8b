import { toHex } from "@lodestar/utils";
import { assertExact } from "../../spec/exact.ts";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR, MAX_TRIGGERED_EXITS } from "../../spec/preset.ts";
import { BeaconBlockBody } from "../../spec/types.ts";
import { processExecutionPayload } from "../../state/execution_payload.ts";
import { processMessageBusRoot } from "../../state/roots.ts";
import { operations as kinds } from "../../validation/operations.ts";
import { asBoolean, asBytes, asList, asUint, type CaseDir } from "./case_dir.ts";
import { type CaseOutcome, differencesOf, judge, type Runner } from "./outcome.ts";
import { decodeFile, judgeTransition, readState } from "./state_files.ts";

/** Operations on a state: `pre`, the operation, and `post` where it is valid. */
export const operations: Runner = {
  handlers: {
    triggered_exit: (dir) => processExits(dir, ["triggered_exit.ssz_snappy"]),
    triggered_exits_batch(dir) {
      const count = dir.readMetaCount("triggered_exits_count");
      return processExits(
        dir,
        Array.from({ length: count }, (_, i) => `triggered_exits_${i}.ssz_snappy`),
      );
    },
    execution_payload(dir) {
      const state = readState(dir, "pre.ssz_snappy");
      const file = "body.ssz_snappy";
      const body = decodeFile(file, BeaconBlockBody, dir.readSsz(file));
      const isValid = asBoolean(dir.readYamlMap("execution.yaml").execution_valid, "execution_valid");
      return judgeTransition(dir, () => {
        assertExact(BeaconBlockBody, dir.readSsz(file));
        processExecutionPayload(state, body, isValid ? "VALID" : "INVALID");
        return state;
      });
    },
    message_bus_root: storeRoot,
  },
};

function processExits(dir: CaseDir, files: string[]): CaseOutcome {
  const state = readState(dir, "pre.ssz_snappy");
  const { sszType, process } = kinds.triggeredExit;
  const exits = files.map((file) => decodeFile(file, sszType, dir.readSsz(file)));
  return judgeTransition(dir, () => {
    if (exits.length > MAX_TRIGGERED_EXITS) throw new Error(`a block holds at most ${MAX_TRIGGERED_EXITS}`);
    for (const exit of exits) process(state, exit);
    return state;
  });
}

function storeRoot(dir: CaseDir): CaseOutcome {
  const state = readState(dir, "pre.ssz_snappy");
  const data = dir.readYamlMap("data.yaml");
  const expected = asList(data.message_bus_roots, "message_bus_roots");
  processMessageBusRoot(
    state,
    asUint(data.block_number, "block_number"),
    asBytes(data.message_bus_root, "message_bus_root", 32),
  );
  const actual = Array.from({ length: BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR }, (_, i) =>
    toHex(state.messageBusRoots.get(i)),
  );
  return judge(differencesOf(expected, actual, "message_bus_roots"));
}
