/** Where nodes stand: in a square from 0 to 1, the same for the same network. */
import type { Point } from "./chart.ts";

/** Pairs of nodes that the forces are computed between, over all rounds: about half a second. */
const FORCE_PAIRS = 60_000_000;
const MAX_FORCE_NODES = 1_000;
const MAX_ROUNDS = 300;
const MIN_DISTANCE = 1e-3;

export function circleLayout(nodes: number): Point[] {
  return Array.from({ length: nodes }, (_, k) => onCircle(k / nodes, 1));
}

/** @param turn share of a full turn, from the top. @param radius share of the square's half. */
function onCircle(turn: number, radius: number): Point {
  const angle = 2 * Math.PI * turn;
  return [0.5 + 0.5 * radius * Math.sin(angle), 0.5 + 0.5 * radius * Math.cos(angle)];
}

/**
 * Linked nodes pull each other, all push each other (Fruchterman and Reingold), from a spiral on. Above 1,000 nodes the
 * circle: a browser would stand still for seconds.
 * @param links indices of nodes.
 */
export function networkLayout(nodes: number, links: readonly (readonly [number, number])[]): Point[] {
  if (nodes > MAX_FORCE_NODES || nodes < 3) return circleLayout(nodes);
  const rounds = Math.min(MAX_ROUNDS, Math.floor(FORCE_PAIRS / (nodes * nodes)));
  // The golden angle spreads neighbours of a list evenly, with no chance in it.
  const start = Array.from({ length: nodes }, (_, k) => onCircle(k * 0.381966, Math.sqrt((k + 0.5) / nodes)));
  const x = Float64Array.from(start, ([one]) => one);
  const y = Float64Array.from(start, ([, one]) => one);
  const ideal = 1 / Math.sqrt(nodes);
  for (let round = 0; round < rounds; round++) {
    const [forceX, forceY] = forcesOn(x, y, links, ideal);
    const limit = 0.1 * (1 - round / rounds);
    for (let k = 0; k < nodes; k++) {
      const [dx, dy] = [forceX[k] ?? 0, forceY[k] ?? 0];
      const length = Math.max(MIN_DISTANCE, Math.hypot(dx, dy));
      const step = Math.min(length, limit) / length;
      x[k] = (x[k] ?? 0) + dx * step;
      y[k] = (y[k] ?? 0) + dy * step;
    }
  }
  return fitted(x, y);
}

function forcesOn(
  x: Float64Array,
  y: Float64Array,
  links: readonly (readonly [number, number])[],
  ideal: number,
): [Float64Array, Float64Array] {
  const forceX = new Float64Array(x.length);
  const forceY = new Float64Array(x.length);
  const apply = (a: number, b: number, dx: number, dy: number, factor: number) => {
    forceX[a] = (forceX[a] ?? 0) + dx * factor;
    forceY[a] = (forceY[a] ?? 0) + dy * factor;
    forceX[b] = (forceX[b] ?? 0) - dx * factor;
    forceY[b] = (forceY[b] ?? 0) - dy * factor;
  };
  for (let a = 0; a < x.length; a++) {
    for (let b = a + 1; b < x.length; b++) {
      const [dx, dy] = [(x[a] ?? 0) - (x[b] ?? 0), (y[a] ?? 0) - (y[b] ?? 0)];
      apply(a, b, dx, dy, (ideal * ideal) / Math.max(MIN_DISTANCE * MIN_DISTANCE, dx * dx + dy * dy));
    }
  }
  for (const [a, b] of links) {
    const [dx, dy] = [(x[a] ?? 0) - (x[b] ?? 0), (y[a] ?? 0) - (y[b] ?? 0)];
    apply(a, b, dx, dy, -Math.hypot(dx, dy) / ideal);
  }
  return [forceX, forceY];
}

function fitted(x: Float64Array, y: Float64Array): Point[] {
  const scale = (values: Float64Array) => {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const width = Math.max(MIN_DISTANCE, high - low);
    return (value: number) => (value - low) / width;
  };
  const [scaleX, scaleY] = [scale(x), scale(y)];
  return Array.from(x, (value, k) => [scaleX(value), scaleY(y[k] ?? 0)]);
}

export interface Step {
  readonly node: number;
  readonly from: number;
  readonly ms: number;
}

/** Of the radius, for times up to the last; those that were not reached stand on the rim. */
const REACHED_RADIUS = 0.92;

/**
 * The publisher in the middle, each other node as far from it as the message took to it, and in the sector of the node
 * that it came from.
 * @param steps in order of time.
 */
export function timeLayout(nodes: number, publisher: number, steps: readonly Step[]): Point[] {
  const children = new Map<number, number[]>();
  const msOf = new Map([[publisher, 0]]);
  for (const { node, from, ms } of steps) {
    if (msOf.has(node)) continue;
    // Who brought it is not known to have it: a clock's error, or a node that came back.
    const parent = msOf.has(from) ? from : publisher;
    children.set(parent, [...(children.get(parent) ?? []), node]);
    msOf.set(node, ms);
  }
  const leaves = new Map<number, number>();
  for (const node of [...msOf.keys()].reverse()) {
    const below = (children.get(node) ?? []).reduce((sum, child) => sum + (leaves.get(child) ?? 1), 0);
    leaves.set(node, Math.max(1, below));
  }
  const lastMs = Math.max(1e-9, steps.at(-1)?.ms ?? 0);
  const positions = new Map<number, Point>([[publisher, onCircle(0, 0)]]);
  const sectors = new Map([[publisher, { from: 0, width: 1 }]]);
  for (const node of msOf.keys()) {
    const sector = sectors.get(node) ?? { from: 0, width: 1 };
    let from = sector.from;
    for (const child of children.get(node) ?? []) {
      const width = (sector.width * (leaves.get(child) ?? 1)) / (leaves.get(node) ?? 1);
      sectors.set(child, { from, width });
      positions.set(child, onCircle(from + width / 2, (REACHED_RADIUS * (msOf.get(child) ?? 0)) / lastMs));
      from += width;
    }
  }
  return Array.from({ length: nodes }, (_, k) => positions.get(k) ?? onCircle(k / nodes, 1));
}

/** Circles of equal time around the publisher: of `ms` of `lastMs`, as lines. */
export function timeRing(ms: number, lastMs: number): Point[] {
  return Array.from({ length: 73 }, (_, k) => onCircle(k / 72, (REACHED_RADIUS * ms) / lastMs));
}
