/** Where the page's knowledge comes from: an event stream that is opened again for as long as the page is. */
import { after, type CancelTimer } from "./time.ts";

export type ConnectionState = "connecting" | "live" | "lost";

/** Between attempts where the browser has given up, as it does when the server answers with an error. */
const REOPEN_MS = 3_000;

/**
 * @param topics of the stream.
 * @param onEvent is given the topic and its data, parsed.
 * @returns closes it.
 */
export function openEvents(
  url: string,
  topics: readonly string[],
  onEvent: (topic: string, data: unknown) => void,
  onState: (state: ConnectionState) => void,
): CancelTimer {
  let source: EventSource;
  let cancelReopen: CancelTimer = () => {};
  function open(): void {
    source = new EventSource(url);
    source.addEventListener("open", () => onState("live"));
    source.addEventListener("error", () => {
      onState("lost");
      if (source.readyState === EventSource.CLOSED) cancelReopen = after(REOPEN_MS, open);
    });
    for (const topic of topics) {
      source.addEventListener(topic, ({ data }: MessageEvent<string>) => onEvent(topic, JSON.parse(data)));
    }
  }
  open();
  return () => {
    cancelReopen();
    source.close();
  };
}
