/**
 * Gossip of triggered exits: a sequence of messages as they came off the wire, each with the verdict on it.
 * The format is that of the official gossip validation tests, with the additions that `README.md` of the vectors lists.
 */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { MessageTree } from "../../execution/message_tree.ts";
import { getMessageLeaf } from "../../spec/message_leaf.ts";
import type { CachedState } from "../../state/beacon_state.ts";
import { createStateView } from "../../state/view.ts";
import { SeenExits } from "../../validation/seen.ts";
import {
  type FollowedContract,
  judgeTriggeredExit,
  type TriggeredExitContext,
} from "../../validation/triggered_exit.ts";
import { asBoolean, asBytes, asList, asMap, asText, asUint, badVector, type CaseDir, type Yaml } from "./case_dir.ts";
import { type CaseOutcome, type Difference, judge, type Runner } from "./outcome.ts";
import { readState } from "./state_files.ts";

/** The official tests say `valid` where gossipsub says accept. */
const EXPECTED_WORDS = { accept: "valid", ignore: "ignore", reject: "reject" } as const;

export const networking: Runner = {
  handlers: {
    gossip_triggered_exit: (dir) => runGossipCase(dir, null),
    gossip_triggered_exit_with_contract: (dir) => runGossipCase(dir, readContract(dir)),
  },
};

function runGossipCase(dir: CaseDir, contract: FollowedContract | null): CaseOutcome {
  const meta = dir.readYamlMap("meta.yaml");
  const topic = asText(meta.topic, "topic in meta.yaml");
  if (topic !== "triggered_exit") throw badVector("topic in meta.yaml", `is ${topic}, not triggered_exit`);
  const state = readState(dir, "state.ssz_snappy");
  const seen = new SeenExits();
  for (const [pubkey, root] of readSeen(meta.seen_triggered_exits)) seen.add(pubkey, root);
  const context: Omit<TriggeredExitContext, "clockEpoch"> = {
    head: createStateView(state),
    finalized: createStateView(readState(dir, "finalized_state.ssz_snappy")),
    shardCommitteePeriodEpochs: state.config.SHARD_COMMITTEE_PERIOD,
    synced: meta.synced === undefined || asBoolean(meta.synced, "synced in meta.yaml"),
    seen,
    contract,
  };

  const currentTimeMs = Number(asUint(meta.current_time_ms, "current_time_ms in meta.yaml"));
  const differences: Difference[] = [];
  const messages = asList(meta.messages, "messages in meta.yaml");
  if (messages.length === 0) throw badVector("messages in meta.yaml", "is empty");
  for (const [i, item] of messages.entries()) {
    const what = `messages[${i}]`;
    const message = asMap(item, what);
    const wireData = dir.readRaw(`${asText(message.message, `${what}.message`)}.ssz_snappy`);
    const nowMs = currentTimeMs + Number(asUint(message.offset_ms, `${what}.offset_ms`));
    const { verdict, operation } = judgeTriggeredExit(wireData, { ...context, clockEpoch: epochAt(state, nowMs) });
    if (operation !== null) seen.add(operation.pubkey, operation.root);
    const expected = `${asText(message.expected, `${what}.expected`)} ${asText(message.code, `${what}.code`)}`;
    const actual = `${EXPECTED_WORDS[verdict.result]} ${verdict.code}`;
    if (actual !== expected) differences.push({ path: what, expected, actual });
  }
  return judge(differences);
}

function readSeen(value: Yaml | undefined): [pubkey: Uint8Array, root: Uint8Array][] {
  if (value === undefined) return [];
  return asList(value, "seen_triggered_exits in meta.yaml").map((item, i) => {
    const what = `seen_triggered_exits[${i}]`;
    const { pubkey, message_bus_root } = asMap(item, what);
    return [asBytes(pubkey, `${what}.pubkey`, 48), asBytes(message_bus_root, `${what}.message_bus_root`, 32)];
  });
}

function epochAt({ genesisTime, config }: CachedState, nowMs: number): number {
  return Math.floor((nowMs - genesisTime * 1000) / config.SLOT_DURATION_MS / SLOTS_PER_EPOCH);
}

/** The contract as `contract.yaml` has it: all messages up to the finalized block, in the order sent. */
function readContract(dir: CaseDir): FollowedContract {
  const { finalized_messages } = dir.readYamlMap("contract.yaml");
  const tree = new MessageTree();
  for (const [i, item] of asList(finalized_messages, "finalized_messages in contract.yaml").entries()) {
    const what = `finalized_messages[${i}]`;
    const { type, sender, payload } = asMap(item, what);
    const leaf = getMessageLeaf(
      asBytes(type, `${what}.type`, 32),
      asBytes(sender, `${what}.sender`, 20),
      asBytes(payload, `${what}.payload`),
    );
    tree.append(leaf);
  }
  return {
    finalizedCount: BigInt(tree.count),
    leafAt: (index) => tree.leafAt(Number(index)),
    rootAt: (count) => tree.rootAt(Number(count)),
  };
}
