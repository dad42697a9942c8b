/** What every part of the page is: an element, and how it follows the model. */
import type { Model } from "./model.ts";

export interface View {
  readonly element: HTMLElement;
  /** Some times a second, while the page is visible and something has changed. */
  update(model: Model): void;
}
