/** What attacks did to a run: the honest messages before, during and after them. */
import type { AttackFigures, PhaseFigures, Report } from "./report.ts";
import { distributionOf, round } from "./statistics.ts";
import type { TraceEvent } from "./trace.ts";

/** One counted message, as `phasesOf` needs it. */
export interface PhasedMessage {
  /** Microseconds of the trace. */
  readonly t: number;
  readonly latenciesMs: Iterable<number>;
  readonly undecided: number;
}

export class AttackNotes {
  readonly #attacks: {
    name: string;
    node: number;
    fromT: number;
    toT: number | null;
    outcome: AttackFigures["outcome"];
  }[] = [];
  #accepted = 0;
  #refused = 0;

  take(event: TraceEvent, isHostile: (message: number) => boolean): void {
    switch (event.e) {
      case "attack":
        this.#attacks.push({ name: event.name, node: event.n, fromT: event.t, toT: null, outcome: null });
        break;
      case "attacked": {
        const { t, e: _, n, name, ...outcome } = event;
        const open = this.#attacks.find((attack) => attack.name === name && attack.toT === null);
        if (open !== undefined) Object.assign(open, { toT: t, outcome });
        break;
      }
      case "deliver":
        if (isHostile(event.m)) this.#accepted++;
        break;
      case "reject":
        if (isHostile(event.m)) this.#refused++;
        break;
      default:
        break;
    }
  }

  /** @param firstT when the first counted message was published. */
  report(
    firstT: number,
    messages: readonly PhasedMessage[],
    receivers: number,
  ): Pick<Report, "attacks" | "hostile" | "phases"> {
    const ends = this.#attacks.map(({ fromT, toT }) => ({ fromT, toT: toT ?? Number.POSITIVE_INFINITY }));
    const beginT = Math.min(...ends.map(({ fromT }) => fromT));
    const phaseOf = ({ t }: PhasedMessage) => {
      if (t < beginT) return "before";
      return ends.some(({ fromT, toT }) => t >= fromT && t < toT) ? "during" : "after";
    };
    const figures = (phase: ReturnType<typeof phaseOf>) =>
      figuresOf(
        messages.filter((message) => phaseOf(message) === phase),
        receivers,
      );
    return {
      attacks: this.#attacks.map(({ name, node, fromT, toT, outcome }) => ({
        name,
        node,
        fromMs: round((fromT - firstT) / 1000),
        toMs: toT === null ? null : round((toT - firstT) / 1000),
        outcome,
      })),
      hostile: { accepted: this.#accepted, refused: this.#refused },
      phases:
        this.#attacks.length === 0
          ? null
          : { before: figures("before"), during: figures("during"), after: figures("after") },
    };
  }
}

function figuresOf(messages: readonly PhasedMessage[], receivers: number): PhaseFigures {
  const latencies = messages.flatMap(({ latenciesMs }) => [...latenciesMs]);
  const pairs = messages.length * receivers;
  const undecided = messages.reduce((sum, message) => sum + message.undecided, 0);
  const decided = pairs - undecided;
  return {
    messages: messages.length,
    pairs,
    delivered: latencies.length,
    undecided,
    ratio: decided === 0 ? null : Math.round((latencies.length / decided) * 1e6) / 1e6,
    latencyMs: distributionOf(latencies),
  };
}

/** One line an attack, and one a phase. */
export function attackLines({ attacks, phases, hostile }: Report): string[] {
  if (phases === null) return [];
  // Adding zero takes the sign from a zero.
  const seconds = (ms: number | null) => (ms === null ? "the end" : `${(Math.round(ms / 100) / 10 + 0).toFixed(1)} s`);
  const lines = attacks.map(({ name, node, fromMs, toMs, outcome }) => {
    const head = `${name} at node ${node}, from ${seconds(fromMs)} to ${seconds(toMs)}`;
    if (outcome === null) return `${head}.`;
    const { identities, rpcs, messages, hungUp, skipped, faults } = outcome;
    if (skipped !== null) return `${head}: could not be made, ${skipped}.`;
    const found = faults.map((fault) => ` It reached what it was after: ${fault}.`).join("");
    return `${head}: ${identities} identities sent ${rpcs} RPCs with ${messages} messages; ${hungUp} were hung up.${found}`;
  });
  lines.push(`Of hostile messages ${hostile.accepted} verdicts were to accept, ${hostile.refused} were not.`);
  for (const [name, { messages, ratio, latencyMs }] of Object.entries(phases)) {
    const latency = latencyMs === null ? "" : `, p50 ${latencyMs.p50} ms, p99 ${latencyMs.p99} ms`;
    lines.push(`Honest messages ${name}: ${messages}, delivery ${ratio ?? "–"}${latency}.`);
  }
  return lines;
}
