import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
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

test.each(["parent", "stdin"])("shutdown: a leash to %s keeps no process alive", async (MSGBUS_LEASH) => {
  const child = spawn(process.execPath, [PROGRAM, "quick"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, MSGBUS_LEASH },
  });
  child.stdout.resume();
  expect(await once(child, "close")).toEqual([0, null]);
  child.stdin.end();
});

/** Starts the command as its child, and waits until it is killed. */
const PARENT = `
require("node:child_process").spawn(process.execPath, process.argv.slice(1), { stdio: "inherit" });
setInterval(() => {}, 1_000);
`;

test("shutdown: a process leashed to its parent leaves when the parent is killed", async () => {
  const parent = spawn(process.execPath, ["--eval", PARENT, PROGRAM, "wait"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, MSGBUS_LEASH: "parent" },
  });
  await once(parent.stdout, "data");
  parent.kill("SIGKILL");
  // The child holds the same pipe: it closes with the last of them.
  await once(parent, "close");
  expect(parent.signalCode).toBe("SIGKILL");
});

/** As npm does it; the second command keeps the shell from making way for the first. */
const SCRIPT_RUNNER = `
const [node, ...args] = process.argv.slice(1);
require("node:child_process").spawn("sh", ["-c", '"$0" "$@"; exit', node, ...args], { stdio: "inherit" });
setInterval(() => {}, 1_000);
`;

// Other systems tell nothing of a process's parent.
test.runIf(existsSync("/proc/self/status"))(
  "shutdown: a process leashed to its parent leaves when what runs the parent's shell is killed",
  async () => {
    const runner = spawn(process.execPath, ["--eval", SCRIPT_RUNNER, process.execPath, PROGRAM, "wait"], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, MSGBUS_LEASH: "parent" },
    });
    await once(runner.stdout, "data");
    runner.kill("SIGKILL");
    // The shell and the command hold the same pipe.
    await once(runner, "close");
    expect(runner.signalCode).toBe("SIGKILL");
  },
);
