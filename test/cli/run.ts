/** Runs a script or program of ours to its end, as a shell would. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
export const LAUNCHER = `${REPOSITORY}bin/msgbus.js`;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function run(nodeArgs: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const child = spawn(process.execPath, nodeArgs, { env: { ...process.env, NO_COLOR: "1", ...env } });
  child.stdin.end();
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, stdout, stderr };
}
