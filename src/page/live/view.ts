/** What every part of the page is: an element, and how it follows the model. */
import type { Model } from "./model.ts";

export interface View {
  readonly element: HTMLElement;
  /** Some times a second, while the page is visible. */
  update(model: Model): void;
}

/** For what only follows the model, and not the clock. */
export function whenChanged(update: (model: Model) => void): (model: Model) => void {
  let seen = -1;
  return (model) => {
    if (model.revision === seen) return;
    seen = model.revision;
    update(model);
  };
}
