/** `/eth/v1/events`: what the node tells as server-sent events. */
import { toHex } from "@lodestar/utils";
import { TriggeredExit } from "../spec/types.ts";
import type { ApiEvent } from "./backend.ts";
import { ServerSentEvents } from "./server_sent_events.ts";
import { triggeredExitText } from "./triggered_exit_json.ts";

export const EVENT_TOPICS = ["triggered_exit", "block", "head", "finalized_checkpoint", "verdict"] as const;
export type EventTopic = (typeof EVENT_TOPICS)[number];

export function isEventTopic(topic: string): topic is EventTopic {
  return (EVENT_TOPICS as readonly string[]).includes(topic);
}

export class EventStreams extends ServerSentEvents<EventTopic> {
  send(event: ApiEvent): void {
    this.sendTo(event.topic, () => eventText(event));
  }
}

function eventText(event: ApiEvent): string {
  if (event.topic === "triggered_exit") return triggeredExitText(TriggeredExit.serialize(event.triggeredExit));
  return JSON.stringify(eventJson(event));
}

function eventJson(event: Exclude<ApiEvent, { topic: "triggered_exit" }>): unknown {
  switch (event.topic) {
    case "block":
      return {
        slot: String(event.slot),
        block: toHex(event.block),
        execution_optimistic: event.executionOptimistic,
      };
    case "head":
      return {
        slot: String(event.slot),
        block: toHex(event.block),
        state: toHex(event.state),
        epoch_transition: event.epochTransition,
        previous_duty_dependent_root: toHex(event.previousDutyDependentRoot),
        current_duty_dependent_root: toHex(event.currentDutyDependentRoot),
        execution_optimistic: event.executionOptimistic,
      };
    case "finalized_checkpoint":
      return {
        block: toHex(event.block),
        state: toHex(event.state),
        epoch: String(event.epoch),
        execution_optimistic: event.executionOptimistic,
      };
    case "verdict":
      return {
        source: event.source,
        peer_id: event.peerId,
        pubkey: event.pubkey,
        message_index: event.messageIndex,
        result: event.result,
        code: event.code,
        elapsed_ms: event.elapsedMs,
      };
  }
}
