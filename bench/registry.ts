/** A registry of a million validators: loading its state, exits from it, verdicts on it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressSync } from "snappy";
import { TRIGGERED_EXIT_SIZE_BYTES } from "../src/spec/constants.ts";
import { BeaconState, TriggeredExit } from "../src/spec/types.ts";
import { type CachedBeaconStateMessageBus, loadState } from "../src/state/beacon_state.ts";
import { processTriggeredExit } from "../src/state/triggered_exit.ts";
import { createStateView } from "../src/state/view.ts";
import { SeenExits } from "../src/validation/seen.ts";
import { judgeTriggeredExit, type TriggeredExitContext } from "../src/validation/triggered_exit.ts";
import type { TriggeredExitCode } from "../src/validation/verdict.ts";
import { formatUs, tell } from "./figure.ts";
import { compare, comparePrepared, ratio } from "./measure.ts";
import {
  createBenchConfig,
  createMessages,
  EPOCH,
  EXITS,
  exitingValidator,
  pubkeyOf,
  serializeState,
} from "./registry_state.ts";

const MANY = 1_000_000;
const FEW = 1_000;
const EXITS_PER_CALL = 16;
const ROUNDS = 60;

const { elementType: PendingPartialWithdrawal } = BeaconState.fields.pendingPartialWithdrawals;

const config = createBenchConfig();
const many = loadLarge();
const few = loadState(config, serializeState(config, FEW)) as CachedBeaconStateMessageBus;
measureExits();
measureVerdicts();

function loadLarge(): CachedBeaconStateMessageBus {
  const dir = mkdtempSync(join(tmpdir(), "msgbus-bench-"));
  try {
    const file = join(dir, "state.ssz");
    const program = join(import.meta.dirname, "registry_state.ts");
    execFileSync(process.execPath, ["--max-old-space-size=6144", program, String(MANY), file], { stdio: "inherit" });
    const startedMs = performance.now();
    const bytes = readFileSync(file);
    const state = loadState(config, bytes);
    const seconds = (performance.now() - startedMs) / 1000;
    const rssMb = process.memoryUsage.rss() / 2 ** 20;
    const peakMb = process.resourceUsage().maxRSS / 2 ** 10;
    const detail = `${(bytes.length / 2 ** 20).toFixed(0)} MB of SSZ, read, checked, decoded, caches built`;
    tell({ name: "state load: 1,000,000 validators", value: seconds, unit: "s", detail, goal: null });
    const rssDetail = `peak ${peakMb.toFixed(0)} MB; --max-old-space-size=3072`;
    tell({ name: "state load: resident memory after it", value: rssMb, unit: "MB", detail: rssDetail, goal: null });
    const rootStartedMs = performance.now();
    state.hashTreeRoot();
    const rootSeconds = (performance.now() - rootStartedMs) / 1000;
    const rootDetail = "nothing of the tree is hashed before";
    tell({ name: "state load: its first root", value: rootSeconds, unit: "s", detail: rootDetail, goal: null });
    return state as CachedBeaconStateMessageBus;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function measureExits(): void {
  const { many: large, few: small } = comparePrepared(
    { many: exitsFrom(many, MANY), few: exitsFrom(few, FEW) },
    ROUNDS,
  );
  const each = (us: number) => formatUs(us / EXITS_PER_CALL);
  tell({
    name: "processTriggeredExit: 1,000,000 validators against 1,000",
    value: ratio(large, small),
    unit: "×",
    detail: `${each(large.medianUs)} against ${each(small.medianUs)}; ${EXITS_PER_CALL} exits of a fresh state, validators all over the registry`,
    goal: { atMost: 1.2 },
  });
}

/** A block's worth of exits of other validators in each call, from a fresh clone. */
function exitsFrom(state: CachedBeaconStateMessageBus, validatorCount: number) {
  const { exits } = createMessages(validatorCount);
  let next = 0;
  return {
    prepare() {
      const first = next;
      next = (next + EXITS_PER_CALL) % EXITS;
      return { clone: state.clone() as CachedBeaconStateMessageBus, block: exits.slice(first, first + EXITS_PER_CALL) };
    },
    run({ clone, block }: { clone: CachedBeaconStateMessageBus; block: TriggeredExit[] }) {
      for (const exit of block) processTriggeredExit(clone, exit);
    },
  };
}

function measureVerdicts(): void {
  const subjects = Object.fromEntries(verdictsWithoutHashing()) as Record<string, () => unknown>;
  for (const [code, { medianUs }] of Object.entries(compare(subjects))) {
    tell({
      name: `verdict without hashing: ${code}`,
      value: medianUs,
      unit: "µs",
      detail: "from wire data; 1,000,000 validators, another message each time",
      goal: { atMost: 3 },
    });
  }
}

interface Case {
  readonly edit?: (exit: TriggeredExit) => void;
  readonly context?: Partial<TriggeredExitContext>;
}

/** For each code the judging of one message after another that ends in it. */
function verdictsWithoutHashing(): [TriggeredExitCode, () => unknown][] {
  const newestRoot = many.messageBusRoots.getReadonly(many.messageBusRoots.length - 1);
  const seen = new SeenExits();
  const exiting = many.clone();
  const withdrawing = many.clone();
  for (let message = 0; message < EXITS; message++) {
    const validatorIndex = exitingValidator(message, MANY);
    seen.add(pubkeyOf(validatorIndex), newestRoot);
    exiting.validators.get(validatorIndex).exitEpoch = 9;
    const pending = { validatorIndex, amount: 1n, withdrawableEpoch: 9 };
    withdrawing.pendingPartialWithdrawals.push(PendingPartialWithdrawal.toViewDU(pending));
  }
  const viewOf = (state: typeof exiting) => createStateView(state as CachedBeaconStateMessageBus);
  const head = createStateView(many);
  const plain = {
    head,
    finalized: head,
    clockEpoch: EPOCH,
    shardCommitteePeriodEpochs: 0,
    synced: true,
    contract: null,
  };

  const cases: [TriggeredExitCode, Case][] = [
    ["NOT_SYNCED", { context: { synced: false } }],
    ["ALREADY_SEEN", { context: { seen } }],
    ["BAD_COUNT", { edit: ({ messageBusSignal }) => messageBusSignal.proof[32]?.set([1], 31) }],
    [
      "INDEX_OUT_OF_RANGE",
      { edit: ({ messageBusSignal }) => Object.assign(messageBusSignal, { messageIndex: 1n << 40n }) },
    ],
    ["UNKNOWN_VALIDATOR", { edit: ({ data }) => data.pubkey.set([0xff], 47) }],
    ["WRONG_SENDER", { edit: ({ messageBusSignal }) => messageBusSignal.messageSender.set([0xff], 19) }],
    ["EXIT_INITIATED", { context: { head: viewOf(exiting) } }],
    ["TOO_YOUNG", { context: { shardCommitteePeriodEpochs: 256 } }],
    ["PENDING_WITHDRAWAL", { context: { head: viewOf(withdrawing) } }],
  ];
  const malformed: [TriggeredExitCode, Uint8Array][] = [
    ["WRONG_LENGTH", compressSync(new Uint8Array(TRIGGERED_EXIT_SIZE_BYTES + 1))],
    ["BAD_SNAPPY", compressSync(new Uint8Array(TRIGGERED_EXIT_SIZE_BYTES)).with(-1, 0xff)],
  ];
  return [
    ...malformed.map(([code, wireData]) => subject(code, [wireData], { ...plain, seen: new SeenExits() })),
    ...cases.map(([code, { edit, context }]) => {
      const { exits } = createMessages(MANY);
      if (edit !== undefined) exits.forEach(edit);
      const wireData = exits.map((exit) => compressSync(TriggeredExit.serialize(exit)));
      return subject(code, wireData, { ...plain, seen: new SeenExits(), ...context });
    }),
  ];
}

function subject(
  code: TriggeredExitCode,
  messages: readonly Uint8Array[],
  context: TriggeredExitContext,
): [TriggeredExitCode, () => unknown] {
  for (const wireData of messages) {
    const found = judgeTriggeredExit(wireData, context).verdict.code;
    if (found !== code) throw new Error(`A message that should end in ${code} ends in ${found}`);
  }
  let next = 0;
  return [code, () => judgeTriggeredExit(messages[next++ % messages.length] as Uint8Array, context)];
}
