import { readFileSync } from "node:fs";

/** The package's version: the manifest stands two folders up, from `src` and from `dist` alike. */
export function packageVersion(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}
