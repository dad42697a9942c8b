#!/usr/bin/env node
// The launcher. It must parse and run on Node 20, which Debian ships: that Node only starts the pinned one.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// Node 24 is the oldest on which the whole stack was measured; it runs TypeScript as it stands, as a checkout needs.
const MIN_NODE_MAJOR = 24;
const FORWARDED_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];

/** The binary that npm installed for this platform as an optional dependency, or null. */
function pinnedNode() {
  const platform = `${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const binary = process.platform === "win32" ? "node.exe" : "node";
  const require = createRequire(import.meta.url);
  for (const name of [`node-${platform}`, `node-bin-${platform}`]) {
    try {
      const path = join(dirname(require.resolve(`${name}/package.json`)), "bin", binary);
      if (existsSync(path)) return path;
    } catch {
      // Not installed: the next name.
    }
  }
  return null;
}

function runWithPinnedNode(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { MSGBUS_LEASH: "parent", ...process.env },
  });
  const forward = (signal) => child.kill(signal);
  for (const signal of FORWARDED_SIGNALS) process.on(signal, forward);
  child.on("error", (error) => fail(`cannot start ${node}: ${error.message}`));
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

function fail(message) {
  process.stderr.write(`error: ${message} (NODE_UNSUITABLE)\n`);
  process.exit(1);
}

// npm passes signals to a shell between us, which dies of them and passes nothing on.
if (["start", "npx"].includes(process.env.npm_lifecycle_event ?? "")) process.env.MSGBUS_LEASH ??= "parent";

if (Number.parseInt(process.versions.node, 10) >= MIN_NODE_MAJOR) {
  // Node does not strip types under node_modules, so an installed package brings compiled files instead of src.
  const source = new URL("../src/cli/main.ts", import.meta.url);
  const entry = existsSync(source) ? source : new URL("../dist/cli/main.js", import.meta.url);
  const { main } = await import(entry.href);
  await main(process.argv.slice(2));
} else {
  const node = pinnedNode();
  if (node === null) {
    fail(
      `msgbus needs Node ${MIN_NODE_MAJOR} or newer and this is ${process.versions.node}: ` +
        "install a newer Node, or run npm install without --omit=optional to get the bundled one",
    );
  } else {
    runWithPinnedNode(node);
  }
}
