import { toHex } from "@lodestar/utils";
import { MessageTree } from "../../execution/message_tree.ts";
import { MESSAGE_BUS_PROOF_LENGTH } from "../../spec/constants.ts";
import { getMessageLeaf } from "../../spec/message_leaf.ts";
import { computeMessageBusRoot, isValidMessageBusProof } from "../../state/proof.ts";
import { asBoolean, asBytes, asList, asMap, asText, asUint, badVector, type CaseDir, type Yaml } from "./case_dir.ts";
import { type CaseOutcome, type Difference, differencesOf, judge, type Runner } from "./outcome.ts";

/** The contract's tree, and the check of proofs: no state, no preset. */
export const proof: Runner = {
  handlers: { message_bus: checkTree, is_valid_message_bus_proof: checkProof },
};

function checkTree(dir: CaseDir): CaseOutcome {
  const data = dir.readYamlMap("data.yaml");
  const tree = new MessageTree();
  const differences: Difference[] = [];
  for (const [i, message] of asList(data.messages, "messages").entries()) {
    const { type, sender, payload, leaf } = asMap(message, `messages[${i}]`);
    const actual = getMessageLeaf(
      asBytes(type, "type", 32),
      asBytes(sender, "sender", 20),
      asBytes(payload, "payload"),
    );
    differences.push(...differencesOf(asText(leaf, "leaf"), toHex(actual), `messages[${i}].leaf`));
    tree.append(actual);
  }
  for (const [i, root] of asList(data.roots, "roots").entries()) {
    const { count, message_root } = asMap(root, `roots[${i}]`);
    const actual = toHex(tree.rootAt(asCount(count, tree, `roots[${i}].count`)));
    differences.push(...differencesOf(asText(message_root, "message_root"), actual, `roots[${i}].message_root`));
  }
  for (const [i, entry] of asList(data.proofs, "proofs").entries()) {
    differences.push(...checkTreeProof(tree, asMap(entry, `proofs[${i}]`), `proofs[${i}]`));
  }
  return judge(differences);
}

/** Both ways: our tree makes this proof, and this proof leads from the leaf to our root. */
function checkTreeProof(tree: MessageTree, entry: { [key: string]: Yaml }, path: string): Difference[] {
  const count = asCount(entry.count, tree, `${path}.count`);
  const index = asCount(entry.index, tree, `${path}.index`);
  const siblings = readProof(entry.proof, `${path}.proof`);
  const leaf = tree.leafAt(index);
  return [
    ...differencesOf(siblings.map(toHex), tree.proofFor(index, count).map(toHex), `${path}.proof`),
    ...differencesOf(
      toHex(tree.rootAt(count)),
      toHex(computeMessageBusRoot(leaf, siblings, BigInt(index))),
      `${path}: computed root`,
    ),
  ];
}

function checkProof(dir: CaseDir): CaseOutcome {
  const data = dir.readYamlMap("data.yaml");
  const roots = new Set(asList(data.roots, "roots").map((root) => toHex(asBytes(root, "roots", 32))));
  // As in a state's index: a zero root is none.
  roots.delete(toHex(new Uint8Array(32)));
  const view = { has: (root: Uint8Array) => roots.has(toHex(root)), payloadsUntilEvicted: () => 0 };
  const leaf = asBytes(data.leaf, "leaf", 32);
  const isValid = isValidMessageBusProof(view, leaf, readProof(data.proof, "proof"), asUint(data.index, "index"));
  return judge(differencesOf(asBoolean(data.valid, "valid"), isValid, "valid"));
}

function readProof(value: Yaml | undefined, what: string): Uint8Array[] {
  const siblings = asList(value, what).map((sibling, i) => asBytes(sibling, `${what}[${i}]`, 32));
  if (siblings.length !== MESSAGE_BUS_PROOF_LENGTH) {
    throw badVector(what, `has ${siblings.length} siblings, not ${MESSAGE_BUS_PROOF_LENGTH}`);
  }
  return siblings;
}

function asCount(value: Yaml | undefined, tree: MessageTree, what: string): number {
  const count = asUint(value, what);
  if (count > BigInt(tree.count)) throw badVector(what, `is ${count}, above the ${tree.count} messages`);
  return Number(count);
}
