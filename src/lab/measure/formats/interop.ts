/**
 * Lines as the implementations in libp2p/test-plans' gossipsub-interop log them, for that suite's scripts: who the node is, and
 * each copy of a message that it receives. Ids there are unsigned 64-bit numbers: here the first eight bytes of ours.
 */
import type { TraceEvent } from "../trace.ts";
import type { TraceNames } from "../trace_names.ts";

/** The file's first line. */
export function interopHead(names: TraceNames, node: number): string {
  const fields = { time: timeOf(0, names), level: "INFO", msg: "PeerID", id: names.peer(node), node_id: node };
  return `${JSON.stringify(fields)}\n`;
}

/** A line for each message of an RPC; empty for what the suite does not log. */
export function interopLines(event: TraceEvent, names: TraceNames): string {
  if (event.e !== "recv" && event.e !== "send") return "";
  const isReceived = event.e === "recv";
  const common = {
    time: timeOf(event.t, names),
    level: "INFO",
    msg: isReceived ? "Received Message" : "Sent Message",
    service: "gossipsub",
    [isReceived ? "from" : "to"]: names.peer(event.p),
  };
  return (event.m ?? [])
    .map(
      (message) =>
        `${JSON.stringify({ ...common, topic: names.topicOf(message), id: numberOf(names.message(message)) })}\n`,
    )
    .join("");
}

function numberOf(messageId: string): string {
  return BigInt(`0x${messageId.slice(0, 16)}`).toString();
}

/** RFC 3339 to the microsecond. */
function timeOf(us: number, { header }: TraceNames): string {
  const totalUs = Math.round(header.epochMs * 1000) + us;
  const date = new Date(Math.floor(totalUs / 1_000_000) * 1000).toISOString().slice(0, 19);
  return `${date}.${String(totalUs % 1_000_000).padStart(6, "0")}Z`;
}
