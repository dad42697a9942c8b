/** Draws an option with the real library, without a browser. */
import { type EChartsOption, init } from "echarts";
import { ROLES, resolved } from "../../../src/page/charts/options.ts";

const PALETTE = new Map(ROLES.map((role, k) => [`--${role}`, `hsl(${k * 22}, 80%, 45%)`]));

export interface Rendering {
  /** Of the SVG. */
  readonly texts: string[];
  readonly svg: string;
  /** What the library found wrong with the option. */
  readonly complaints: string[];
}

export function render(option: EChartsOption, updates: readonly EChartsOption[] = []): Rendering {
  const complaints: string[] = [];
  const { warn, error } = console;
  console.warn = console.error = (...parts: unknown[]) => complaints.push(parts.join(" "));
  try {
    const chart = init(null, null, { renderer: "svg", ssr: true, width: 800, height: 500 });
    for (const part of [option, ...updates]) chart.setOption({ ...resolved(part, PALETTE), animation: false });
    const svg = chart.renderToSVGString();
    chart.dispose();
    return { svg, complaints, texts: [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text = ""]) => text) };
  } finally {
    console.warn = warn;
    console.error = error;
  }
}
