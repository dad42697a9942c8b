/** Reads what `/metrics` tells: Prometheus' text form. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export function parseMetrics(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) return [];
    const pairs = [...labels.matchAll(LABEL)].map(([, key = "", escaped = ""]) => [key, unescaped(escaped)] as const);
    return [
      { name, labels: Object.fromEntries(pairs), value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value) },
    ];
  });
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

/** Of the first sample of this name; null where there is none. */
export function sampleOf(samples: readonly Sample[], name: string): number | null {
  return samples.find((sample) => sample.name === name)?.value ?? null;
}

export interface Histogram {
  /** Upper bounds in the metric's unit, ascending, the last one Infinity. */
  readonly upper: readonly number[];
  /** In each bucket alone. */
  readonly counts: readonly number[];
  readonly count: number;
}

/** Of the samples with this label; empty where there are none. */
export function histogramOf(samples: readonly Sample[], name: string, label: string, value: string): Histogram {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket` && sample.labels[label] === value);
  const upper = buckets.map(({ labels }) => (labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le)));
  const counts = buckets.map((bucket, k) => bucket.value - (buckets[k - 1]?.value ?? 0));
  return { upper, counts, count: buckets.at(-1)?.value ?? 0 };
}
