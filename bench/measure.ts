/** Medians of rounds in which the compared subjects take turns, so that a busy machine slows all of them alike. */

/** Rounds of a comparison; each subject runs in every round. */
const ROUNDS = 25;
/** A subject's share of a round: long enough for the clock, short enough that a disturbance hits all subjects. */
const SHARE_MS = 8;

export type Subjects<Name extends string> = Record<Name, () => unknown>;

export interface Timing {
  /** Of one call, microseconds. */
  readonly medianUs: number;
  /** Of one call in each round, in order. */
  readonly roundsUs: readonly number[];
}

/** Times synchronous subjects that may be called any number of times. */
export function compare<Name extends string>(subjects: Subjects<Name>): Record<Name, Timing> {
  const names = Object.keys(subjects) as Name[];
  const calls = new Map(names.map((name) => [name, callsPerShare(subjects[name])]));
  const rounds = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const count = calls.get(name) as number;
      rounds.get(name)?.push((timeMs(subjects[name], count) * 1000) / count);
    }
  }
  return Object.fromEntries(names.map((name) => [name, timing(rounds.get(name) as number[])])) as Record<Name, Timing>;
}

/** Times subjects that use up what `prepare` makes for each call; a result is one call. */
export function comparePrepared<Name extends string, Input>(
  subjects: Record<Name, { prepare: () => Input; run: (input: Input) => unknown }>,
  rounds = ROUNDS,
): Record<Name, Timing> {
  const names = Object.keys(subjects) as Name[];
  const results = new Map<Name, number[]>(names.map((name) => [name, []]));
  // The first two rounds warm up.
  for (let round = -2; round < rounds; round++) {
    for (const name of names) {
      const input = subjects[name].prepare();
      const ms = timeMs(() => subjects[name].run(input), 1);
      if (round >= 0) results.get(name)?.push(ms * 1000);
    }
  }
  return Object.fromEntries(names.map((name) => [name, timing(results.get(name) as number[])])) as Record<Name, Timing>;
}

/** Median of the rounds' own ratios: `numerator` against `denominator` of the same round. */
export function ratio(numerator: Timing, denominator: Timing): number {
  return median(numerator.roundsUs.map((us, round) => us / (denominator.roundsUs[round] as number)));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

function timing(roundsUs: readonly number[]): Timing {
  return { medianUs: median(roundsUs), roundsUs };
}

function callsPerShare(subject: () => unknown): number {
  let calls = 1;
  for (;;) {
    const ms = timeMs(subject, calls);
    if (ms >= SHARE_MS / 2) return Math.max(1, Math.round((calls * SHARE_MS) / ms));
    calls *= 2;
  }
}

function timeMs(subject: () => unknown, calls: number): number {
  const startedMs = performance.now();
  for (let i = 0; i < calls; i++) subject();
  return performance.now() - startedMs;
}
