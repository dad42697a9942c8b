/** Exits that reached no peer yet: to be sent again with a later head. */
import type { RootsView } from "../state/roots.ts";
import { isLasting } from "../validation/seen.ts";
import type { VerifiedTriggeredExit } from "../validation/triggered_exit.ts";

/** 1.6 kB each. The oldest is forgotten beyond it: the pool still holds it. */
const UNSENT_LIMIT = 1_024;

export class UnsentExits {
  readonly #exits = new Map<number, VerifiedTriggeredExit>();
  readonly #limit: number;

  constructor(limit = UNSENT_LIMIT) {
    this.#limit = limit;
  }

  keep(exit: VerifiedTriggeredExit): void {
    this.#exits.set(exit.validatorIndex, exit);
    const oldest = this.#exits.keys().next();
    if (this.#exits.size > this.#limit && !oldest.done) this.#exits.delete(oldest.value);
  }

  /**
   * Takes out what may be sent. What others would refuse now, as an exit initiated otherwise, stays; what is proven against
   * a root that does not last is forgotten.
   */
  take(headRoots: RootsView, isStillValid: (exit: VerifiedTriggeredExit) => boolean): VerifiedTriggeredExit[] {
    const taken: VerifiedTriggeredExit[] = [];
    for (const [validatorIndex, exit] of this.#exits) {
      const lasts = isLasting(exit.root, headRoots);
      if (lasts && !isStillValid(exit)) continue;
      this.#exits.delete(validatorIndex);
      if (lasts) taken.push(exit);
    }
    return taken;
  }
}
