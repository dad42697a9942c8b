/** The network as a graph, and one message's way through it. */
import { type DataTable, type EChartsOption, LEGEND, numberText, type Point, TOOLTIP } from "./chart.ts";
import { networkLayout } from "./layout.ts";

export type NodeKind = "self" | "node" | "peer" | "hostile";

export interface GraphNode {
  readonly id: string;
  readonly label: string;
  readonly kind: NodeKind;
  /** Told where somebody points at the node. */
  readonly detail?: string;
  /** From 0 to 1; of all nodes, or of none. */
  readonly x?: number;
  readonly y?: number;
}

export interface GraphLink {
  readonly source: string;
  readonly target: string;
  readonly kind: "mesh" | "connected";
}

/** `formed`: where the message came into the network. */
export type ReachedResult = "accept" | "ignore" | "reject" | "formed";

/** A message's way: what each node made of it, when, and the links that it came over. What is later than `atMs` is not shown. */
export interface GraphWay {
  readonly reached: Readonly<Record<string, { readonly atMs: number; readonly result: ReachedResult }>>;
  readonly links: readonly { readonly source: string; readonly target: string; readonly atMs: number }[];
  readonly atMs: number;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly links: readonly GraphLink[];
  readonly way?: GraphWay;
  /** Circles of equal time, where distance from the middle is time. */
  readonly rings?: readonly { readonly label: string; readonly points: readonly Point[] }[];
}

/** Up to so many nodes their labels are written beside them. */
const MAX_LABELLED = 60;
/** Above, nodes are small and a way's links thin. */
const MAX_THICK = 300;
/** Above, links are drawn in one go and cannot be pointed at. */
const LARGE_LINKS = 2_000;
/** Around the square, for nodes at its rim. */
const MARGIN = 0.06;

type State = ReachedResult | "waiting";

/** Told apart by size and shape as well as by colour. */
const STATES: Readonly<
  Record<State, { readonly name: string; readonly colour: string; readonly symbol: string | null }>
> = {
  waiting: { name: "not reached", colour: "--muted", symbol: null },
  accept: { name: "accepted", colour: "--accept", symbol: null },
  ignore: { name: "ignored", colour: "--ignore", symbol: "triangle" },
  reject: { name: "rejected", colour: "--reject", symbol: "diamond" },
  formed: { name: "origin", colour: "--formed", symbol: "rect" },
};

/** The library's own hollow circle is filled white, in the dark too. */
const RING = "path://M-5,0A5,5,0,1,0,5,0A5,5,0,1,0,-5,0ZM-3,0A3,3,0,1,1,3,0A3,3,0,1,1,-3,0Z";

const KIND_SYMBOLS: Readonly<Record<NodeKind, string>> = {
  self: "roundRect",
  node: "circle",
  peer: RING,
  hostile: "arrow",
};

/** The whole picture; clicks name a node by its id. */
export function networkGraph(graph: Graph): EChartsOption {
  const { nodes, links, rings = [] } = graph;
  const positions = positionsOf(graph);
  const axis = { type: "value", show: false, min: -MARGIN, max: 1 + MARGIN } as const;
  return {
    // As much beside as above and below: circles stay round in a square.
    grid: { left: 24, right: 24, top: 40, bottom: 8 },
    tooltip: { ...TOOLTIP, trigger: "item" },
    legend: { show: graph.way !== undefined, ...LEGEND, data: Object.values(STATES).map(({ name }) => name) },
    xAxis: axis,
    yAxis: axis,
    dataZoom: [
      { type: "inside", xAxisIndex: 0, filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
      { type: "inside", yAxisIndex: 0, filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
    ],
    series: [
      lineSeries("links", "--border", 1, opacityOf(links.length), segments(positions, links, "connected")),
      lineSeries("mesh", "--accent", 1, opacityOf(links.length), segments(positions, links, "mesh")),
      {
        type: "lines",
        id: "rings",
        coordinateSystem: "cartesian2d",
        polyline: true,
        silent: true,
        animation: false,
        lineStyle: { color: "--muted", width: 1, type: "dashed", opacity: 0.6 },
        data: rings.map(({ points }) => ({ coords: points.map(([x, y]) => [x, y]) })),
      },
      {
        type: "scatter",
        id: "ring-labels",
        silent: true,
        animation: false,
        symbolSize: 0.01,
        label: { show: true, position: "top", color: "--muted", fontSize: 11, formatter: "{b}" },
        data: rings.map(({ label, points }) => ({ name: label, value: [...(points[0] ?? [0.5, 0.5])] })),
      },
      ...waySeries(graph, positions, nodes.length),
    ],
  };
}

/** Only what a moment changes: for animation, after `networkGraph` of the same nodes. */
export function networkMoment(graph: Graph): EChartsOption {
  return { series: waySeries(graph, positionsOf(graph), graph.nodes.length) };
}

function waySeries({ nodes, way }: Graph, positions: ReadonlyMap<string, Point>, count: number) {
  const passed = (way?.links ?? []).filter(({ atMs }) => atMs <= (way?.atMs ?? 0));
  const size = count <= MAX_LABELLED ? 18 : count <= MAX_THICK ? 10 : 6;
  const stateOf = (id: string): State => {
    const reached = way?.reached[id];
    return reached === undefined || reached.atMs > (way?.atMs ?? 0) ? "waiting" : reached.result;
  };
  const byState = Map.groupBy(nodes, ({ id }) => stateOf(id));
  return [
    lineSeries(
      "way",
      "--accept",
      count <= MAX_THICK ? 2 : 1,
      count <= MAX_THICK ? 0.9 : 0.5,
      segments(positions, passed),
    ),
    ...(Object.keys(STATES) as State[]).map((state) => {
      const { name, colour, symbol } = STATES[state];
      return {
        type: "scatter" as const,
        id: `nodes-${state}`,
        name,
        z: 3,
        animation: false,
        symbol: symbol ?? "circle",
        symbolSize: state === "waiting" ? size * 0.7 : state === "formed" ? size * 1.2 : size,
        itemStyle: { color: colour, borderColor: "--surface", borderWidth: 1 },
        label: { show: count <= MAX_LABELLED, position: "right" as const, color: "--text", fontSize: 11 },
        tooltip: { formatter: ({ data }: { data?: unknown }) => (data as { tip: string }).tip },
        data: (byState.get(state) ?? []).map(({ id, label, kind, detail }) => {
          const reached = state === "waiting" ? undefined : way?.reached[id];
          const when = reached === undefined ? [] : [`${name} at ${numberText(reached.atMs)} ms`];
          return {
            name: id,
            value: [...(positions.get(id) ?? [0.5, 0.5])],
            symbol: symbol ?? KIND_SYMBOLS[kind],
            label: { formatter: () => label },
            tip: [label, ...(detail === undefined ? [] : [detail]), ...when].join("\n"),
          };
        }),
      };
    }),
  ];
}

function positionsOf({ nodes, links }: Graph): ReadonlyMap<string, Point> {
  if (nodes.every(({ x, y }) => x !== undefined && y !== undefined)) {
    return new Map(nodes.map(({ id, x = 0.5, y = 0.5 }) => [id, [x, y]]));
  }
  const indices = new Map(nodes.map(({ id }, index) => [id, index]));
  const pairs = links.flatMap(({ source, target }) => {
    const [a, b] = [indices.get(source), indices.get(target)];
    return a === undefined || b === undefined ? [] : [[a, b] as const];
  });
  const points = networkLayout(nodes.length, pairs);
  return new Map(nodes.map(({ id }, index) => [id, points[index] ?? [0.5, 0.5]]));
}

function segments(
  positions: ReadonlyMap<string, Point>,
  links: readonly { readonly source: string; readonly target: string; readonly kind?: string }[],
  kind?: GraphLink["kind"],
) {
  return links.flatMap((link) => {
    const [from, to] = [positions.get(link.source), positions.get(link.target)];
    if (from === undefined || to === undefined || link.kind !== kind) return [];
    return [
      {
        coords: [[...from], [...to]],
      },
    ];
  });
}

function lineSeries(id: string, colour: string, width: number, opacity: number, data: { coords: number[][] }[]) {
  return {
    type: "lines" as const,
    id,
    coordinateSystem: "cartesian2d" as const,
    silent: true,
    animation: false,
    large: true,
    largeThreshold: LARGE_LINKS,
    lineStyle: { color: colour, width, opacity },
    data,
  };
}

/** A thousand lines over each other must still let the nodes be seen. */
function opacityOf(links: number): number {
  return Math.min(0.7, Math.max(0.06, 60 / Math.max(1, links)));
}

/** Who was reached, in order of time. */
export function wayTable({ nodes, way }: Graph): DataTable {
  const labels = new Map(nodes.map(({ id, label }) => [id, label]));
  const senders = new Map((way?.links ?? []).map(({ source, target }) => [target, source]));
  const reached = Object.entries(way?.reached ?? {}).sort(([, a], [, b]) => a.atMs - b.atMs);
  return {
    columns: ["node", "at (ms)", "from", "result"],
    rows: reached.map(([id, { atMs, result }]) => {
      const sender = senders.get(id);
      return [
        labels.get(id) ?? id,
        atMs,
        sender === undefined ? null : (labels.get(sender) ?? sender),
        STATES[result].name,
      ];
    }),
  };
}
