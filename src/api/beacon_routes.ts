/** `/eth/v1/beacon`: the chain, and the pool of triggered exits. */
import { getValidatorStatus, ssz } from "@lodestar/types";
import { toHex } from "@lodestar/utils";
import { type Answer, data, failure, type ItemFailure } from "./answer.ts";
import type { ApiBackend, ApiState, ChainPointMeta, SubmitOutcome } from "./backend.ts";
import { parseChainPointId, parseValidatorId } from "./ids.ts";
import { REFUSALS } from "./refusal.ts";
import { listTriggeredExitsText, parseTriggeredExit } from "./triggered_exit_json.ts";

/** Items of one POST: parsing them takes 6 ms (44 µs each), within which gossip waits. The rest goes into another. */
export const MAX_SUBMITTED_EXITS = 128;

export function getGenesis(backend: ApiBackend): Answer {
  const genesis = backend.getGenesis();
  return genesis === null
    ? failure(404, "Chain genesis info is not yet known")
    : data(ssz.phase0.Genesis.toJson(genesis));
}

export async function getHeader(backend: ApiBackend, blockId: string): Promise<Answer> {
  const id = parseChainPointId(blockId);
  if (id === null) return failure(400, `Invalid block ID: ${blockId}`);
  const block = await backend.getHeader(id);
  if (block === null) return failure(404, `Block not found: ${blockId}`);
  const header = ssz.phase0.SignedBeaconBlockHeader.toJson(block.header);
  return data({ root: toHex(block.root), canonical: block.canonical, header }, metaJson(block));
}

export async function getFinalityCheckpoints(backend: ApiBackend, stateId: string): Promise<Answer> {
  return withState(backend, stateId, (state) =>
    data(
      {
        previous_justified: ssz.phase0.Checkpoint.toJson(state.previousJustified),
        current_justified: ssz.phase0.Checkpoint.toJson(state.currentJustified),
        finalized: ssz.phase0.Checkpoint.toJson(state.finalizedCheckpoint),
      },
      metaJson(state),
    ),
  );
}

export async function getValidator(backend: ApiBackend, stateId: string, validatorId: string): Promise<Answer> {
  const id = parseValidatorId(validatorId);
  if (id === null) return failure(400, `Invalid validator ID: ${validatorId}`);
  return withState(backend, stateId, (state) => {
    const found = state.getValidator(id);
    if (found === null) return failure(404, `Validator not found: ${validatorId}`);
    return data(
      {
        index: String(found.index),
        balance: String(found.balance),
        status: getValidatorStatus(found.validator, state.epoch),
        validator: ssz.phase0.Validator.toJson(found.validator),
      },
      metaJson(state),
    );
  });
}

export function getPoolTriggeredExits(backend: ApiBackend): Answer {
  return { status: 200, parts: listTriggeredExitsText(backend.listTriggeredExits()) };
}

/** Takes one exit or a list; publishes the good ones even where others fail. */
export async function submitPoolTriggeredExits(backend: ApiBackend, body: unknown): Promise<Answer> {
  if (typeof body !== "object" || body === null) {
    return failure(400, "The body must be a TriggeredExit or a list of them, as application/json");
  }
  const items: unknown[] = Array.isArray(body) ? body : [body];
  if (items.length === 0 || items.length > MAX_SUBMITTED_EXITS) {
    return failure(400, `The body must hold 1 to ${MAX_SUBMITTED_EXITS} triggered exits, and holds ${items.length}`);
  }
  if (backend.getSyncing()?.isSyncing !== false) return failure(503, "The node is syncing: try again later");

  const parsed = items.map(parseTriggeredExit);
  const outcomes = await backend.submitTriggeredExits(parsed.flatMap((item) => ("value" in item ? [item.value] : [])));
  const failures: ItemFailure[] = [];
  const accepted: unknown[] = [];
  let hasDeferred = false;
  let next = 0;
  parsed.forEach((item, index) => {
    if ("problem" in item) {
      failures.push(itemFailure(index, "MALFORMED", item.problem));
      return;
    }
    const outcome = outcomes[next++];
    if (outcome === undefined) throw new Error("The backend left a submission without an outcome");
    hasDeferred ||= outcome.status === "deferred";
    if (outcome.status === "refused") failures.push(itemFailure(index, outcome.code, REFUSALS[outcome.code]));
    else accepted.push(acceptedJson(outcome));
  });
  if (failures.length === 0) return { ...data(accepted), status: hasDeferred ? 202 : 200 };
  const rest = accepted.length === 0 ? "" : `, the other ${accepted.length} accepted`;
  return failure(400, `${failures.length} of ${items.length} triggered exits refused${rest}`, failures);
}

function itemFailure(index: number, reason: string, sentence: string): ItemFailure {
  return { index, reason, message: `${reason}: ${sentence}` };
}

function acceptedJson(outcome: Exclude<SubmitOutcome, { status: "refused" }>): unknown {
  return outcome.status === "published"
    ? { status: "published", recipients: String(outcome.recipients) }
    : { status: outcome.status };
}

async function withState(backend: ApiBackend, stateId: string, read: (state: ApiState) => Answer): Promise<Answer> {
  const id = parseChainPointId(stateId);
  if (id === null) return failure(400, `Invalid state ID: ${stateId}`);
  const state = await backend.getState(id);
  return state === null ? failure(404, `State not found: ${stateId}`) : read(state);
}

function metaJson(meta: ChainPointMeta): { execution_optimistic: boolean; finalized: boolean } {
  return { execution_optimistic: meta.executionOptimistic, finalized: meta.finalized };
}
