/** Numbers and names as people read them. */

/** 0x93ab…41f0: enough to recognise a key or root by. */
export function shorten(hex: string): string {
  return hex.length <= 16 ? hex : `${hex.slice(0, 6)}…${hex.slice(-4)}`;
}

export function shortPeerId(peerId: string): string {
  return peerId.length <= 16 ? peerId : `…${peerId.slice(-8)}`;
}

/** 12.3 ms, 4.56 s, 3 min 20 s. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1_000).toFixed(1))} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`;
}

/** 14:03:22.041, in the reader's own time. */
export function timeOfDay(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two);
  return `${parts.join(":")}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

const collator = new Intl.Collator("en", { numeric: true });

/** node-2 before node-10. */
export function byName(a: string, b: string): number {
  return collator.compare(a, b);
}

/** The value below which the share of the values lies; null of none. */
export function percentile(ascending: ArrayLike<number>, share: number): number | null {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? null;
}
