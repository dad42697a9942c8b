"""
Runs the specification's own Python over cases that come as JSON on stdin, and answers with JSON on stdout.

The names that the documents take from the forks below are defined here, as far as the functions that are run need
them: byte and integer types without SSZ, objects in place of containers.
"""

import __future__
import ast
import copy
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from types import SimpleNamespace


class GossipIgnore(Exception):
    pass


class GossipReject(Exception):
    pass


def hash(data):
    return hashlib.sha256(data).digest()


def Uint64(value=0):
    if not 0 <= value < 2**64:
        raise ValueError(f"{value} is no uint64")
    return int(value)


Slot = Epoch = ValidatorIndex = Gwei = Uint64


def Bytes32(value=bytes(32)):
    if len(value) != 32:
        raise ValueError(f"{len(value)} bytes are no Bytes32")
    return bytes(value)


Root = Bytes32
MessageBusProof = TriggeredExits = list
MessageBusSignal = TriggeredExitData = TriggeredExit = SimpleNamespace

FAR_FUTURE_EPOCH = 2**64 - 1
BLS_WITHDRAWAL_PREFIX = b"\x00"


def Version(text):
    return bytes.fromhex(text[2:])


def uint_to_bytes(value):
    return value.to_bytes(8, "little")


def ssz_serialize(data):
    return data.pubkey


def compute_merkle_branch_root(leaf, branch, depth, index):
    value = leaf
    for i in range(depth):
        value = hash(branch[i] + value) if index // 2**i % 2 else hash(value + branch[i])
    return Root(value)


def compute_epoch_at_slot(slot):
    return Epoch(slot // SLOTS_PER_EPOCH)


def get_current_epoch(state):
    return compute_epoch_at_slot(state.slot)


def has_execution_withdrawal_credential(validator):
    return validator.withdrawal_credentials[:1] in (b"\x01", b"\x02")


def is_active_validator(validator, epoch):
    return validator.activation_epoch <= epoch < validator.exit_epoch


def get_pending_balance_to_withdraw(state, index):
    return sum(w.amount for w in state.pending_partial_withdrawals if w.validator_index == index)


def initiate_validator_exit(state, index):
    # That it is initiated is all that the next operation sees; the churn has its own vectors.
    state.validators[index].exit_epoch = get_current_epoch(state) + 5


def load_blocks(documents):
    """Parses every block, and defines the functions and dataclasses in this module."""
    errors = []
    count = 0
    for path, blocks in documents.items():
        for number, block in enumerate(blocks):
            count += 1
            try:
                tree = ast.parse(block)
            except SyntaxError as error:
                errors.append(f"{path}, block {number}, line {error.lineno}: {error.msg}")
                continue
            tree.body = [
                node
                for node in tree.body
                if isinstance(node, ast.FunctionDef)
                or (isinstance(node, ast.ClassDef) and any(d.id == "dataclass" for d in node.decorator_list))
            ]
            flags = __future__.annotations.compiler_flag
            exec(compile(tree, f"<{path}, block {number}>", "exec", flags), globals())
    return {"count": count, "errors": errors}


def evaluate(constants):
    """The values of ``{name: expression}``, in order; each may use those before."""
    values = {}
    for name, expression in constants.items():
        values[name] = globals()[name] = eval(expression)
    return {name: "0x" + value.hex() if isinstance(value, bytes) else value for name, value in values.items()}


def from_json(value):
    if isinstance(value, dict):
        return SimpleNamespace(**{key: from_json(item) for key, item in value.items()})
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    if isinstance(value, str) and re.fullmatch(r"\d+", value):
        return int(value)
    return value


def to_hex(items):
    return ["0x" + item.hex() for item in items]


def run_contract(case):
    tree = get_empty_message_bus_tree()
    leaves = []
    roots = [get_tree_root(tree) + get_message_root(tree)]
    for message in case.messages:
        leaves.append(get_message_leaf(message.type, message.sender, message.payload))
        append_message(tree, leaves[-1])
        roots.append(get_tree_root(tree) + get_message_root(tree))
    wanted = [roots[root.count] for root in case.roots]
    proofs = [(proof.index, proof.count) for proof in case.proofs]
    computed = [compute_message_proof(leaves, index, count) for index, count in proofs]
    return {
        "leaves": to_hex(leaves),
        "treeRoots": to_hex(root[:32] for root in wanted),
        "messageRoots": to_hex(root[32:] for root in wanted),
        "proofs": [to_hex(proof) for proof in computed],
        "computedRoots": to_hex(
            compute_message_bus_root(leaves[index], proof, index) for (index, _), proof in zip(proofs, computed)
        ),
        "claimedCounts": [get_claimed_message_count(proof) for proof in computed],
        "countsValid": all(is_valid_message_count(proof) for proof in computed),
    }


def run_proof(case):
    state = SimpleNamespace(message_bus_roots=case.roots)
    return is_valid_message_bus_proof(state, case.leaf, case.proof, case.index)


def run_exits(case):
    """Which validators exit when all operations are processed in order, or none when one is invalid; how many are packed."""
    # What INDEX_OUT_OF_RANGE turns away never gets into a pool
    poolable = [e for e in case.triggered_exits if e.message_bus_signal.message_index < 2**32]
    pool = [PooledTriggeredExit(triggered_exit, False) for triggered_exit in poolable]
    packed = len(get_triggered_exits(copy.deepcopy(case.state), pool))
    state = case.state
    before = [validator.exit_epoch for validator in state.validators]
    try:
        for triggered_exit in case.triggered_exits:
            process_triggered_exit(state, triggered_exit)
    except AssertionError:
        return {"exited": None, "packed": packed}
    exited = [i for i, validator in enumerate(state.validators) if validator.exit_epoch != before[i]]
    return {"exited": exited, "packed": packed}


def run_gossip(case):
    seen = SimpleNamespace(triggered_exit_roots={s.pubkey: s.message_bus_root for s in case.seen})
    followed = None
    if case.finalized_messages is not None:
        followed = FinalizedMessages([get_message_leaf(m.type, m.sender, m.payload) for m in case.finalized_messages])
    verdicts = []
    for message in case.messages:
        try:
            validate_triggered_exit_gossip(
                seen,
                case.state,
                case.finalized_state,
                message.triggered_exit,
                message.time_ms,
                case.is_synced,
                followed,
            )
            verdicts.append("valid VALID")
        except GossipIgnore as error:
            verdicts.append(f"ignore {error}")
        except GossipReject as error:
            verdicts.append(f"reject {error}")
    return verdicts


RUNNERS = {"contract": run_contract, "proof": run_proof, "exits": run_exits, "gossip": run_gossip}

request = json.load(sys.stdin)
answer = {"blocks": load_blocks(request["documents"])}
answer["constants"] = evaluate(request["constants"])
answer["results"] = [RUNNERS[case["runner"]](from_json(case["data"])) for case in request["cases"]]
json.dump(answer, sys.stdout)
