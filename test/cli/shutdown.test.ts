import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const PROGRAM = fileURLToPath(new URL("program.ts", import.meta.url));

async function start(command: string) {
  const child = spawn(process.execPath, [PROGRAM, command], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("shutdown: %s asks a command to leave", async (signal) => {
  const child = await start("wait");
  child.kill(signal);
  child.kill(signal);
  expect(await once(child, "close")).toEqual([0, null]);
});

test("shutdown: a later signal ends a command that does not leave", async () => {
  const child = await start("stubborn");
  child.kill("SIGINT");
  await once(child.stdout, "data");
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([130, null]);
});

test("shutdown: a reader that has gone counts as a signal", async () => {
  const child = await start("stubborn");
  child.stdout.destroy();
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([130, null]);
});
