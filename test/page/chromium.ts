/** The system's Chromium, which Playwright drives: it is no package of npm's. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
] as const;

/** `CHROMIUM` names another one; null where there is none. */
export function findChromium(): string | null {
  const named = process.env.CHROMIUM;
  if (named !== undefined) return named;
  return PLACES.find((place) => existsSync(place)) ?? null;
}

export function launchChromium(executablePath: string): Promise<Browser> {
  // Containers have no user namespaces for the sandbox; what is opened is ours.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}
