/** A chart on the page: it follows the theme, the size of its element, and who wants no motion. */
import { type EChartsOption, init } from "echarts";
import { merged, type Palette, ROLES, resolved } from "./options.ts";

export interface MountedChart {
  /** Series are merged by their ids, so that an update moves what it names and leaves the rest. */
  set(option: EChartsOption, label?: string): void;
  on(event: "click", listener: (params: { dataType?: string; name?: string }) => void): void;
  dispose(): void;
}

/** On the root while it prints: the style sheet has the light colours for it, since paper is white. */
const PRINT_CLASS = "print";

/** @param label says what the chart shows, to those who cannot see it. */
export function mount(element: HTMLElement, option: EChartsOption, label: string): MountedChart {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let palette = readPalette();
  let current: EChartsOption = {};
  let currentLabel = label;
  const chart = init(element, themeOf(palette), { renderer: "canvas" });
  element.setAttribute("role", "img");

  function draw(part: EChartsOption): void {
    chart.setOption({
      backgroundColor: "transparent",
      ...resolved(part, palette),
      ...(still.matches ? { animation: false } : {}),
      aria: { enabled: true, label: { description: currentLabel } },
    });
  }

  function redraw(): void {
    palette = readPalette();
    chart.setTheme(themeOf(palette));
    draw(current);
  }

  const beforePrint = () => {
    document.documentElement.classList.add(PRINT_CLASS);
    redraw();
  };
  const afterPrint = () => {
    document.documentElement.classList.remove(PRINT_CLASS);
    redraw();
  };
  const resize = new ResizeObserver(() => chart.resize());
  resize.observe(element);
  dark.addEventListener("change", redraw);
  still.addEventListener("change", redraw);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);

  const mounted: MountedChart = {
    set(part, newLabel = currentLabel) {
      currentLabel = newLabel;
      current = merged(current, part);
      draw(part);
    },
    on(event, listener) {
      chart.on(event, ({ dataType, name }) => listener({ ...(dataType === undefined ? {} : { dataType }), name }));
    },
    dispose() {
      resize.disconnect();
      dark.removeEventListener("change", redraw);
      still.removeEventListener("change", redraw);
      removeEventListener("beforeprint", beforePrint);
      removeEventListener("afterprint", afterPrint);
      chart.dispose();
    },
  };
  mounted.set(option);
  return mounted;
}

function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  return new Map(ROLES.map((role) => [`--${role}`, style.getPropertyValue(`--${role}`).trim()]));
}

function themeOf(palette: Palette): object {
  const colour = (role: string) => palette.get(`--${role}`) ?? "";
  const text = { color: colour("text") };
  const axis = {
    axisLine: { lineStyle: { color: colour("muted") } },
    axisTick: { lineStyle: { color: colour("muted") } },
    axisLabel: { color: colour("muted") },
    nameTextStyle: { color: colour("muted") },
    splitLine: { lineStyle: { color: colour("border") } },
  };
  return {
    color: [1, 2, 3, 4, 5, 6].map((k) => colour(`series-${k}`)),
    textStyle: text,
    legend: {
      textStyle: text,
      pageTextStyle: text,
      pageIconColor: colour("accent"),
      pageIconInactiveColor: colour("muted"),
    },
    tooltip: { backgroundColor: colour("surface"), borderColor: colour("border"), textStyle: text },
    valueAxis: axis,
    categoryAxis: axis,
  };
}
