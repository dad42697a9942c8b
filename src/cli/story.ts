/** Events of nodes and devnets as lines for people. */
import type { DevnetEvent, SpecimenFate, SpecimenKind } from "../lab/devnet/events.ts";
import type { NodeEvent } from "../node_events.ts";
import type { VerdictResult } from "../validation/verdict.ts";
import { type Colour, colour } from "./output.ts";

const KIND_WORDS: Record<SpecimenKind, string> = {
  exit: "exit",
  unknown_pubkey: "unknown pubkey",
  wrong_sender: "wrong sender",
  already_exiting: "already exiting",
  forged_proof: "forged proof",
  bad_count: "impossible count",
  wrong_length: "wrong length",
  bad_snappy: "bad snappy",
};

const RESULT_COLOURS: Record<VerdictResult, Colour> = { accept: "green", ignore: "yellow", reject: "red" };

const LABEL_WIDTH = 9;

/** 0x93ab…41: enough to recognise a key or root by. */
function shorten(hex: string | null): string {
  if (hex === null) return "no operation";
  return hex.length <= 14 ? hex : `${hex.slice(0, 8)}…${hex.slice(-4)}`;
}

function kindWords(kind: SpecimenKind): string {
  return KIND_WORDS[kind];
}

/** A devnet's event; null for what would only repeat what a person has read already. */
export function devnetEventLine(event: DevnetEvent): string | null {
  switch (event.event) {
    case "network":
      return line(
        "network",
        `${event.nodes} nodes share ${event.validators} validators, ${event.secondsPerSlot} s slots, seed ${event.seed}`,
        `contract ${event.contract} on ${event.elUrl}`,
        event.dir,
        pageLink(event.pageUrl),
      );
    case "node_ready":
      return line("node", colour("bold", event.node), event.apiUrl ?? "no API", event.multiaddrs[0] ?? "");
    case "node_exited":
      return line(
        "node",
        `${event.node} ended (${event.reason})`,
        event.restarting ? "starting it again" : "left dead",
      );
    case "ready":
      return line("ready", `all ${event.nodes.length} nodes are in one mesh`, pageLink(event.pageUrl));
    case "message_sent":
      return line(
        "sent",
        `${kindWords(event.kind)} of ${validator(event.validatorIndex)} ${shorten(event.pubkey)}`,
        `from ${shorten(event.sender)}`,
        `tx ${shorten(event.transactionHash)}`,
        `index ${event.messageIndex}`,
      );
    case "operation_pushed":
      return line("pushed", `a hostile peer hands ${kindWords(event.kind)} to ${event.node}`, shorten(event.pubkey));
    case "summary":
      return summary(event);
    // Every node has each block, mesh and finality: once told is enough, and the verdicts tell of the nodes.
    case "mesh":
    case "block":
    case "published":
      return null;
    default:
      return nodeLine(event, event.node);
  }
}

/** A single node's event. */
export function nodeEventLine(event: NodeEvent): string | null {
  if (event.event !== "ready") return nodeLine(event, "");
  return [
    line("ready", event.peerId),
    ...event.multiaddrs.map((address) => line("listens", address)),
    line("topics", `fork digest ${event.forkDigest}`, topicNames(event.topics)),
    line("API", event.apiUrl ?? "none"),
    ...(event.pageUrl === null ? [] : [line("page", colour("bold", event.pageUrl))]),
  ].join("\n");
}

function nodeLine(event: Exclude<NodeEvent, { event: "ready" }>, node: string): string {
  switch (event.event) {
    case "mesh":
      return line("mesh", `${event.peers} peers in the mesh of ${event.topic}`);
    case "topics":
      return line("topics", node, `fork digest ${event.forkDigest}`, topicNames(event.topics));
    case "operation_formed":
      return line("formed", node, `from message ${event.messageIndex}`, shorten(event.pubkey));
    case "verdict":
      return line(
        "verdict",
        node,
        colour(RESULT_COLOURS[event.result], `${event.result.toUpperCase()} ${event.code}`),
        shorten(event.pubkey),
        `by ${event.source}`,
        `${event.elapsedMs.toFixed(1)} ms`,
      );
    case "published":
      return line("published", shorten(event.pubkey), `to ${event.recipients} peers`);
    case "block":
      return line("block", `slot ${event.slot}`, shorten(event.blockRoot), event.optimistic ? "optimistic" : "");
    case "included":
      return line("included", `slot ${event.slot}`, `block ${shorten(event.blockRoot)}`, exits(event.pubkeys));
    case "exit_initiated":
      return line("exit", `validator ${event.validatorIndex} leaves at epoch ${event.exitEpoch}`);
    case "reorg":
      return line("reorg", node, `${event.depth} blocks back, now at slot ${event.slot}`);
    case "finalized":
      return line("final", `epoch ${event.epoch}`, shorten(event.blockRoot));
    case "execution":
      return line("EL", node, event.available ? "answers again" : `away (${event.reason})`);
  }
}

/** Full topics share digest and encoding; a subnet's number says as much as its topic. */
function topicNames(topics: readonly string[]): string {
  const names = topics.map((topic) => topic.split("/")[3] ?? topic);
  const subnets = names.filter((name) => name.startsWith("beacon_attestation_")).length;
  const others = names.filter((name) => !name.startsWith("beacon_attestation_"));
  return [...others, ...(subnets > 0 ? [`${subnets} attestation subnets`] : [])].join(", ");
}

function line(label: string, ...parts: string[]): string {
  return `${colour("cyan", label.padEnd(LABEL_WIDTH))} ${parts.filter((part) => part !== "").join(colour("dim", " · "))}`;
}

function pageLink(url: string | null): string {
  return url === null ? "" : `page ${colour("bold", url)}`;
}

function validator(index: number | null): string {
  return index === null ? "nobody" : `validator ${index}`;
}

function exits(pubkeys: string[]): string {
  return pubkeys.length === 1 ? shorten(pubkeys[0] ?? null) : `${pubkeys.length} exits`;
}

function summary(event: Extract<DevnetEvent, { event: "summary" }>): string {
  const lines = [
    "",
    event.ok
      ? colour("green", "Every exit is final, and nothing invalid travelled.")
      : colour("red", event.reason ?? ""),
    "",
    ...event.exits.map(
      (exit) =>
        `  validator ${exit.validatorIndex}: ${
          exit.slot === null
            ? "not included"
            : `included in slot ${exit.slot}, leaves at epoch ${exit.exitEpoch ?? "?"}${exit.final ? ", final" : ""}`
        }`,
    ),
  ];
  const { median, max } = event.txToInclusionMs;
  if (median !== null && max !== null) {
    lines.push(`  from transaction to block: median ${seconds(median)}, longest ${seconds(max)}`);
  }
  lines.push("", "  What was bad died here:", ...event.bad.map(fate), "", "  APIs, and memory:");
  for (const { node, url, rssBytes } of event.apis) {
    lines.push(`    ${node}  ${url ?? "none"}${rssBytes === null ? "" : `  ${Math.round(rssBytes / 1e6)} MB`}`);
  }
  return lines.join("\n");
}

function fate({ kind, route, diedAt, forwarded, inBlock }: SpecimenFate): string {
  const codes = [...new Set(diedAt.map(({ code }) => code))].join(", ") || "not judged";
  const where = route === "gossip" ? "the first honest node" : "the nodes that formed it";
  const nodes = diedAt.map(({ node }) => node).join(", ");
  const travelled = forwarded ? colour("red", "FORWARDED") : "not forwarded";
  const block = inBlock ? colour("red", "IN A BLOCK") : "in no block";
  return `    ${kindWords(kind).padEnd(16)} ${route.padEnd(8)} ${codes.padEnd(20)} at ${where} (${nodes}), ${travelled}, ${block}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
