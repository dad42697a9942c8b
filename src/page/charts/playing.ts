/** How a message's way is played. */

/** Of the page, however long the message took. */
export const PLAY_MS = 4_000;

/** In how many pictures to those who want no motion. */
const STILL_PICTURES = 8;

export function wantsNoMotion(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Which share of the way is shown when this share of the time has gone. */
export function shownShare(share: number): number {
  return wantsNoMotion() ? Math.floor(share * STILL_PICTURES) / STILL_PICTURES : share;
}
