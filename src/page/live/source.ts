/** Where the page's knowledge comes from: an event stream that is opened again for as long as the page is. */
import { after } from "./time.ts";

export type ConnectionState = "connecting" | "live" | "lost";

/** Between attempts where the browser has given up, as it does when the server answers with an error. */
const REOPEN_MS = 3_000;

/**
 * @param topics of the stream.
 * @param onEvent is given the topic and its data, parsed.
 */
export function openEvents(
  url: string,
  topics: readonly string[],
  onEvent: (topic: string, data: unknown) => void,
  onState: (state: ConnectionState) => void,
): void {
  const source = new EventSource(url);
  source.addEventListener("open", () => onState("live"));
  source.addEventListener("error", () => {
    onState("lost");
    if (source.readyState !== EventSource.CLOSED) return;
    after(REOPEN_MS, () => openEvents(url, topics, onEvent, onState));
  });
  for (const topic of topics) {
    source.addEventListener(topic, ({ data }: MessageEvent<string>) => onEvent(topic, JSON.parse(data)));
  }
}
