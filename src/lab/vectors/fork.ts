import { ssz } from "@lodestar/types";
import { DEFAULT_MESSAGE_BUS_PARAMETERS } from "../../spec/config.ts";
import { MESSAGE_BUS_FORK_NAME } from "../../spec/constants.ts";
import { BeaconState } from "../../spec/types.ts";
import { upgradeToMessageBus } from "../../state/upgrade.ts";
import { badVector } from "./case_dir.ts";
import { toExactType } from "./exact_types.ts";
import { judge, type Runner } from "./outcome.ts";
import { decodeFile, POST_FILE, stateDifferences } from "./state_files.ts";

const exactFuluState = toExactType(ssz.fulu.BeaconState);
const exactState = toExactType(BeaconState);

/** The upgrade of a Fulu state, which may hold any values: its tree is built and read by types that keep all bits. */
export const fork: Runner = {
  handlers: {
    fork(dir) {
      const fork = dir.readYamlMap("meta.yaml").fork;
      if (fork !== MESSAGE_BUS_FORK_NAME) throw badVector("fork in meta.yaml", `is not ${MESSAGE_BUS_FORK_NAME}`);
      const file = "pre.ssz_snappy";
      const pre = decodeFile(file, exactFuluState, dir.readSsz(file));
      const expected = dir.readSsz(POST_FILE);
      const preNode = exactFuluState.toViewDU(pre).node;
      const post = upgradeToMessageBus(DEFAULT_MESSAGE_BUS_PARAMETERS, ssz.fulu.BeaconState.getViewDU(preNode));
      return judge(stateDifferences(expected, exactState.getViewDU(post.node).serialize()));
    },
  },
};
