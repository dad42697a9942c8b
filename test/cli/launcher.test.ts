import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LAUNCHER, REPOSITORY, run } from "./run.ts";

/** Makes this Node call itself 20, to the launcher only: a child process does not inherit it. */
const OLD_NODE = [
  "--import",
  "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.19.0'}})",
];

/** Says what it was given; then exits as told, or waits for the signal that its first argument names and leaves with 7. */
const PROGRAM = `
export async function main(args) {
  const told = JSON.stringify({ file: import.meta.url, node: process.versions.node, args }) + "\\n";
  if (args[0] === "exit") {
    process.stdout.write(told, () => process.exit(Number(args[1])));
    return;
  }
  const wait = setInterval(() => {}, 1000);
  process.on(args[0], () => { clearInterval(wait); process.exitCode = 7; });
  process.stdout.write(told);
}
`;

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "msgbus-launcher-"));
  cpSync(LAUNCHER, join(dir, "bin/msgbus.js"));
  writeFileSync(join(dir, "package.json"), '{"type":"module"}');
  addProgram("src/cli/main.ts");
});

afterEach(() => rmSync(dir, { recursive: true }));

function addProgram(path: string): void {
  mkdirSync(join(dir, path, ".."), { recursive: true });
  writeFileSync(join(dir, path), PROGRAM);
}

function installRuntime(): void {
  symlinkSync(join(REPOSITORY, "node_modules"), join(dir, "node_modules"));
}

const launch = (...nodeArgs: string[]) =>
  run([...nodeArgs.slice(0, -3), join(dir, "bin/msgbus.js"), ...nodeArgs.slice(-3)]);

test("launcher: a Node that is too old starts the bundled one, with arguments and exit code", async () => {
  installRuntime();
  const { code, stdout } = await launch(...OLD_NODE, "exit", "3", "--an option");
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ node: "26.10.0", args: ["exit", "3", "--an option"] });
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("launcher: passes %s on and waits for the end", async (signal) => {
  installRuntime();
  const child = spawn(process.execPath, [...OLD_NODE, join(dir, "bin/msgbus.js"), signal]);
  await once(child.stdout, "data");
  child.kill(signal);
  expect(await once(child, "close")).toEqual([7, null]);
});

test("launcher: too old and nothing bundled is an expected failure that says what to do", async () => {
  const { code, stdout, stderr } = await launch(...OLD_NODE, "exit", "0", "");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(
    /^error: msgbus needs Node 24 or newer and this is 20\.19\.0: install .*\(NODE_UNSUITABLE\)\n$/,
  );
});

test("launcher: runs the sources in a checkout, and the build where there are none", async () => {
  addProgram("dist/cli/main.js");
  expect(JSON.parse((await launch("exit", "0", "")).stdout).file).toMatch(/src\/cli\/main\.ts$/);
  rmSync(join(dir, "src"), { recursive: true });
  expect(JSON.parse((await launch("exit", "0", "")).stdout).file).toMatch(/dist\/cli\/main\.js$/);
});
