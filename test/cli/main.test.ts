import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { LAUNCHER, REPOSITORY, run } from "./run.ts";

const PROGRAM = fileURLToPath(new URL("program.ts", import.meta.url));
const msgbus = (...args: string[]) => run([LAUNCHER, ...args]);
const program = (...args: string[]) => run([PROGRAM, ...args]);

test("msgbus: --version prints the package's version", async () => {
  const { version } = JSON.parse(readFileSync(`${REPOSITORY}package.json`, "utf8"));
  expect(await msgbus("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("msgbus: --help lists the commands without loading them", async () => {
  const { code, stdout } = await program("--help");
  expect(code).toBe(0);
  expect(stdout).toMatch(/listen +listens/);
});

test("msgbus: without a command it shows its help as a usage error", async () => {
  const { code, stdout, stderr } = await program();
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("Usage: msgbus");
});

test("msgbus: an unknown command and an unknown flag name themselves and the likely one", async () => {
  expect(await program("lisen")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/'lisen'[\s\S]*Did you mean listen\?/),
  });
  expect(await program("listen", "--prt", "1")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/'--prt'[\s\S]*Did you mean --port\?/),
  });
  expect(await msgbus("--bogus")).toMatchObject({ code: 2, stderr: expect.stringContaining("--bogus") });
});

test("msgbus: a missing option and a bad value are usage errors that name the fix", async () => {
  expect(await program("listen")).toMatchObject({ code: 2, stderr: expect.stringContaining("--port <port>") });
  expect(await program("listen", "--port", "http")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("'http' is invalid. It must be a port from 0 to 65535"),
  });
});

test("msgbus: an expected failure is one line with its code, and no stack", async () => {
  expect(await program("listen", "--port", "1")).toEqual({
    code: 1,
    stdout: "",
    stderr: "error: Port 1 is taken: choose another (ADDRESS_IN_USE)\n",
  });
});

test("msgbus: an expected failure shows its stack to who debugs", async () => {
  for (const level of [["--log-level", "debug"], ["--log-level=trace"]]) {
    expect((await program("listen", "--port", "1", ...level)).stderr).toMatch(/\n +at /);
  }
  expect((await run([PROGRAM, "listen", "--port", "1"], { MSGBUS_DEBUG: "1" })).stderr).toMatch(/\n +at /);
});

test.each([
  ["bug", "x is not a function: deep down"],
  ["stray", "nobody waits for me"],
])("msgbus: an unexpected failure (%s) says that it is a bug, with its stack", async (name, message) => {
  const { code, stderr } = await program(name);
  expect(code).toBe(70);
  expect(stderr).toMatch(new RegExp(`^error: ${message}\nThis is a bug in msgbus [\\s\\S]*\n +at `));
});

test("msgbus: ends quietly when its reader has gone", async () => {
  const child = spawn(process.execPath, [PROGRAM, "flood"], { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  await once(child.stdout, "data");
  child.stdout.destroy();
  const [code] = await once(child, "close");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("msgbus: the preset is chosen before a command is loaded", async () => {
  expect((await program("preset")).stdout).toBe("mainnet");
  expect((await program("preset", "--preset", "minimal")).stdout).toBe("minimal");
});

test("msgbus: a wrong network directory is an expected failure", async () => {
  expect(await program("preset", "--network", "/nowhere")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error: Cannot read \/nowhere\/config\.yaml .*\(NETWORK_UNREADABLE\)\n$/),
  });
});
