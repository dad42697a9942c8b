import { readdirSync, readFileSync } from "node:fs";
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import { uncompressSync } from "snappy";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { BeaconState, TriggeredExit } from "../../src/spec/types.ts";
import { REPOSITORY, readConstant, readDocument, readInteger, SPEC_FOLDER } from "./markdown.ts";
import { PYTHON_MISSING, runSpec, type SpecAnswer, type SpecCase } from "./python.ts";

/** Of the minimal preset's standard configuration, which the vectors use. */
const CONFIGURATION = { SHARD_COMMITTEE_PERIOD: "64", SLOT_DURATION_MS: "6000", SLOTS_PER_EPOCH: `${SLOTS_PER_EPOCH}` };

/** The document of each constant that the functions use; those before are needed by those behind. */
const CONSTANTS: [name: string, document: string, column: string][] = [
  ["TRIGGERED_EXIT_MESSAGE_TYPE", "beacon-chain.md", "Value"],
  ["MESSAGE_BUS_CONTRACT_TREE_DEPTH", "beacon-chain.md", "Minimal"],
  ["BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR", "beacon-chain.md", "Minimal"],
  ["MAX_TRIGGERED_EXITS", "beacon-chain.md", "Minimal"],
  ["GOSSIP_ROOT_MARGIN", "p2p-interface.md", "Minimal"],
  ["TRIGGERED_EXIT_SIZE", "p2p-interface.md", "Minimal"],
];

const vectors = new URL("test/vectors/", REPOSITORY);

interface Case {
  readonly name: string;
  readonly folder: URL;
}

function listCases(handler: string): Case[] {
  const folder = new URL(`${handler}/pyspec_tests/`, vectors);
  return readdirSync(folder).map((name) => ({ name, folder: new URL(`${name}/`, folder) }));
}

/** Strings as they stand in the file: integers are decimal strings. */
function readYaml(url: URL): Record<string, unknown> {
  return parse(readFileSync(url, "utf8"));
}

function readSsz(url: URL): Uint8Array {
  return uncompressSync(readFileSync(url)) as Uint8Array;
}

/** What the functions read of a state. */
function readState(url: URL) {
  const state = BeaconState.toJson(BeaconState.deserialize(readSsz(url))) as Record<string, unknown>;
  const { genesis_time, slot, validators, pending_partial_withdrawals, message_bus_roots } = state;
  const { block_number } = state.latest_execution_payload_header as Record<string, unknown>;
  const latest_execution_payload_header = { block_number };
  return {
    genesis_time,
    slot,
    validators,
    pending_partial_withdrawals,
    message_bus_roots,
    latest_execution_payload_header,
  };
}

function readExit(bytes: Uint8Array): unknown {
  return TriggeredExit.toJson(TriggeredExit.deserialize(bytes));
}

interface Expectation {
  readonly name: string;
  readonly case: SpecCase;
  readonly expected: unknown;
}

function proofExpectation({ name, folder }: Case): Expectation {
  const data = readYaml(new URL("data.yaml", folder));
  return { name, case: { runner: "proof", data }, expected: data.valid };
}

function contractExpectation({ name, folder }: Case): Expectation {
  const data = readYaml(new URL("data.yaml", folder));
  const messages = data.messages as { leaf: string }[];
  const roots = data.roots as { count: string; tree_root: string; message_root: string }[];
  const proofs = data.proofs as { count: string; proof: string[] }[];
  return {
    name,
    case: { runner: "contract", data },
    expected: {
      leaves: messages.map((message) => message.leaf),
      treeRoots: roots.map((root) => root.tree_root),
      messageRoots: roots.map((root) => root.message_root),
      proofs: proofs.map((proof) => proof.proof),
      computedRoots: proofs.map((proof) => roots.find((root) => root.count === proof.count)?.message_root),
      claimedCounts: proofs.map((proof) => Number(proof.count)),
      countsValid: true,
    },
  };
}

/** Validators whose exit epoch differs between the two states; null where the vector has no `post`. */
function exitedValidators(folder: URL, state: ReturnType<typeof readState>): number[] | null {
  if (!readdirSync(folder).includes("post.ssz_snappy")) return null;
  const epochs = (validators: unknown) => (validators as { exit_epoch: string }[]).map(({ exit_epoch }) => exit_epoch);
  const before = epochs(state.validators);
  const after = epochs(readState(new URL("post.ssz_snappy", folder)).validators);
  return before.flatMap((epoch, i) => (after[i] === epoch ? [] : [i]));
}

function exitsExpectation({ name, folder }: Case): Expectation {
  const state = readState(new URL("pre.ssz_snappy", folder));
  const files = readdirSync(folder).filter((file) => file.startsWith("triggered_exit"));
  const triggered_exits = files
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .map((file) => readExit(readSsz(new URL(file, folder))));
  const exited = exitedValidators(folder, state);
  const packed = exited === null ? expect.toSatisfy((count) => count < triggered_exits.length) : exited.length;
  return { name, case: { runner: "exits", data: { state, triggered_exits } }, expected: { exited, packed } };
}

type GossipMessage = { offset_ms: number; message: string; expected: string; code: string };

/** Messages that are malformed on the wire end before the function, which takes a decoded operation. */
function gossipExpectation({ name, folder }: Case): Expectation | null {
  const meta = readYaml(new URL("meta.yaml", folder));
  const messages = (meta.messages as GossipMessage[]).filter(({ code }) => !/^(BAD_SNAPPY|WRONG_LENGTH)$/.test(code));
  if (messages.length === 0) return null;
  const contract = readdirSync(folder).includes("contract.yaml") ? readYaml(new URL("contract.yaml", folder)) : null;
  const data = {
    state: readState(new URL("state.ssz_snappy", folder)),
    finalized_state: readState(new URL("finalized_state.ssz_snappy", folder)),
    seen: meta.seen_triggered_exits ?? [],
    is_synced: meta.synced ?? true,
    finalized_messages: contract?.finalized_messages ?? null,
    messages: messages.map(({ offset_ms, message }) => ({
      time_ms: Number(meta.current_time_ms) + offset_ms,
      triggered_exit: readExit(readSsz(new URL(`${message}.ssz_snappy`, folder))),
    })),
  };
  const expected = messages.map(({ expected, code }) => `${expected} ${code}`);
  return { name, case: { runner: "gossip", data }, expected };
}

const groups: Record<string, Expectation[]> = {
  "is_valid_message_bus_proof agrees with its vectors": listCases(
    "general/message_bus/proof/is_valid_message_bus_proof",
  ).map(proofExpectation),
  "leaf, tree, root and proof of the contract agree with their vectors": listCases(
    "general/message_bus/proof/message_bus",
  ).map(contractExpectation),
  "process_triggered_exit and packing agree with the vectors of one exit": listCases(
    "minimal/message_bus/operations/triggered_exit",
  ).map(exitsExpectation),
  "process_triggered_exit and packing agree with the vectors of many exits": listCases(
    "minimal/message_bus/operations/triggered_exits_batch",
  ).map(exitsExpectation),
  "validate_triggered_exit_gossip agrees with its vectors": [
    ...listCases("minimal/message_bus/networking/gossip_triggered_exit"),
    ...listCases("minimal/message_bus/networking/gossip_triggered_exit_with_contract"),
  ].flatMap((vector) => gossipExpectation(vector) ?? []),
};

describe("specification's Python", () => {
  const expectations = Object.values(groups).flat();
  const rows = CONSTANTS.map(([name, document, column]) => {
    const cell = readConstant(readDocument(`${SPEC_FOLDER}/${document}`), name)[column] ?? "";
    return { name, cell, expression: cell.match(/^`(.*?)`/)?.[1] ?? "" };
  });
  let answer: SpecAnswer | null = null;

  beforeAll(() => {
    const constants = Object.fromEntries(rows.map(({ name, expression }) => [name, expression]));
    answer = runSpec(
      { ...CONFIGURATION, ...constants },
      expectations.map((expectation) => expectation.case),
    );
  }, 90_000);

  it("specification's Python: every block parses", ({ skip }) => {
    if (answer === null) return skip(PYTHON_MISSING);
    expect(answer.blocks.errors).toEqual([]);
    expect(answer.blocks.count).toBeGreaterThan(30);
  });

  it("specification's Python: expressions of the constants have the values beside them", ({ skip }) => {
    if (answer === null) return skip(PYTHON_MISSING);
    for (const { name, cell } of rows.filter(({ cell }) => cell.includes("(= "))) {
      expect(answer.constants[name], name).toBe(readInteger(cell));
    }
  });

  for (const [title, group] of Object.entries(groups)) {
    it(`specification's Python: ${title}`, ({ skip }) => {
      if (answer === null) return skip(PYTHON_MISSING);
      const { results } = answer;
      expect(group.length).toBeGreaterThan(0);
      for (const expectation of group) {
        expect(results[expectations.indexOf(expectation)], expectation.name).toEqual(expectation.expected);
      }
    });
  }
});
