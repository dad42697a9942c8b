/** Head and finality as the whole network has them. */
import { card, tiles } from "./dom.ts";
import { plural, shorten } from "./text.ts";
import { type View, whenChanged } from "./view.ts";

export function chainView(): View {
  const figures = tiles(["Head slot", "Finalized epoch", "Nodes", "Verdicts", "Exits in blocks", "Exits waiting"]);
  const element = card("Chain", figures.element);
  element.classList.add("wide");
  return {
    element,
    update: whenChanged((model) => {
      const { head, finalizedEpoch, network } = model;
      const nodes = [...model.nodes.values()].filter(({ kind }) => kind === "node");
      const running = nodes.filter(({ isRunning }) => isRunning).length;
      const agreed = head?.nodes === running ? "all nodes" : `${head?.nodes} of ${running} nodes`;
      figures.set("Head slot", String(head?.slot ?? "–"), head === null ? "" : `${shorten(head.root)}, ${agreed}`);
      figures.set("Finalized epoch", String(finalizedEpoch ?? "–"), epochDetail(network));
      figures.set(
        "Nodes",
        String(running),
        running < nodes.length ? `${nodes.length - running} not running` : "running",
      );
      figures.set("Verdicts", String(model.verdictCount), "on triggered exits, told to this page");
      const accepted = [...model.messages.values()].filter(({ hops }) =>
        hops.some(({ result }) => result === "accept"),
      );
      const included = accepted.filter((message) => message.included !== null);
      const final = included.filter(({ finalMs }) => finalMs !== null).length;
      figures.set("Exits in blocks", String(included.length), `${final} final`);
      figures.set("Exits waiting", String(accepted.length - included.length), "accepted, in no block yet");
    }),
  };
}

function epochDetail(network: { slotsPerEpoch: number; secondsPerSlot: number } | null): string {
  return network === null ? "" : `${plural(network.slotsPerEpoch, "slot")} of ${network.secondsPerSlot} s an epoch`;
}
