/** What a benchmark tells: one line of JSON a figure, from the process that measured it. */

/** What a figure has to keep to: a bound, or none where it is only told. */
export type Goal = { readonly atMost: number } | { readonly atLeast: number } | null;

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: "µs" | "ms" | "s" | "MB" | "×";
  /** What stands behind it, such as both sides of a ratio. */
  readonly detail: string;
  readonly goal: Goal;
}

export function isMet({ value, goal }: Figure): boolean {
  if (goal === null) return true;
  return "atMost" in goal ? value <= goal.atMost : value >= goal.atLeast;
}

export function tell(figure: Figure): void {
  process.stdout.write(`${JSON.stringify(figure)}\n`);
}

export function formatUs(us: number): string {
  if (us < 1000) return `${us.toPrecision(3)} µs`;
  return us < 1_000_000 ? `${(us / 1000).toPrecision(3)} ms` : `${(us / 1_000_000).toPrecision(3)} s`;
}
