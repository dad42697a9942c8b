/** A kind of page: what it shows, and where it asks. */
import type { Model } from "./model.ts";
import type { NodePoll } from "./poll_node.ts";
import type { ConnectionState } from "./source.ts";
import type { View } from "./view.ts";

export interface Page {
  readonly title: string;
  readonly subtitle: HTMLElement;
  readonly model: Model;
  /** From top to bottom: a view over the whole width, or two columns of them. */
  readonly layout: readonly (View | readonly [left: readonly View[], right: readonly View[]])[];
  /** What stands in no view. */
  update(): void;
  connect(onState: (state: ConnectionState) => void): void;
  readonly poll: NodePoll;
}
