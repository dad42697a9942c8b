import { readFileSync } from "node:fs";

/** Of package.json, which stands two folders up from here in a checkout and in the built package alike. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}
