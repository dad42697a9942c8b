import { assertExact } from "../../spec/exact.ts";
import { SignedBeaconBlock } from "../../spec/types.ts";
import { type CachedState, stateTransition } from "../../state/transition.ts";
import type { Runner } from "./outcome.ts";
import { decodeFile, judgeTransition, readState } from "./state_files.ts";

/** `bls_setting` of the official format: signatures are to be ignored. */
const BLS_IGNORED = 2;

/** Whole signed blocks on a state. */
export const sanity: Runner = {
  handlers: {
    blocks(dir) {
      const pre = readState(dir, "pre.ssz_snappy");
      const meta = dir.readYamlMap("meta.yaml");
      const verifySignatures = meta.bls_setting === undefined || dir.readMetaCount("bls_setting") !== BLS_IGNORED;
      const files = Array.from({ length: dir.readMetaCount("blocks_count") }, (_, i) => `blocks_${i}.ssz_snappy`);
      const blocks = files.map((file) => {
        const bytes = dir.readSsz(file);
        return { bytes, block: decodeFile(file, SignedBeaconBlock, bytes) };
      });
      return judgeTransition(dir, () => {
        let state: CachedState = pre;
        for (const { block, bytes } of blocks) {
          // As a node does with every block that it is sent.
          assertExact(SignedBeaconBlock, bytes);
          state = stateTransition(state, block, {
            payloadStatus: "VALID",
            verifyProposer: verifySignatures,
            verifySignatures,
            verifyStateRoot: true,
          });
        }
        return state;
      });
    },
  },
};
