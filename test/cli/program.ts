/** The real program with commands that fail in every way that it has words for; run by main.test.ts. */
import { Command } from "commander";
import { systemClock } from "../../src/base/clock.ts";
import { CodedError } from "../../src/base/errors.ts";
import { main } from "../../src/cli/main.ts";
import { jsonOption, logLevelOption, parsePort } from "../../src/cli/options.ts";
import { createShutdownSignal } from "../../src/cli/shutdown.ts";

function command(name: string, action: () => void | Promise<void>) {
  const load = async () => new Command(name).action(action);
  return [name, { summary: `does ${name}`, load }] as const;
}

await main(
  process.argv.slice(2),
  new Map([
    [
      "listen",
      {
        summary: "listens",
        load: async () =>
          new Command("listen")
            .requiredOption("--port <port>", "where", parsePort)
            .addOption(jsonOption())
            .addOption(logLevelOption())
            .action(() => {
              throw new CodedError("ADDRESS_IN_USE", "Port 1 is taken: choose another");
            }),
      },
    ],
    command("bug", () => {
      throw new TypeError("x is not a function", { cause: new Error("deep down") });
    }),
    command("stray", () => {
      void Promise.reject(new Error("nobody waits for me"));
      return new Promise<void>(() => {});
    }),
    command("flood", async () => {
      // Until the reader has gone: the write then fails, and the program must end by itself.
      for (;;) {
        process.stdout.write("line\n".repeat(20_000));
        await new Promise((resolve) => setImmediate(resolve));
      }
    }),
    command("wait", () => {
      const alive = setInterval(() => {}, 1_000);
      createShutdownSignal(systemClock).addEventListener("abort", () => clearInterval(alive));
      process.stdout.write("waiting\n");
    }),
    command("quick", () => {
      createShutdownSignal(systemClock);
      process.stdout.write("done\n");
    }),
    command("stubborn", () => {
      setInterval(() => {}, 1_000);
      let nowMs = 0;
      const impatientClock = { monotonicMs: () => (nowMs += 10_000) };
      createShutdownSignal(impatientClock).addEventListener("abort", () => process.stdout.write("no\n"));
      process.stdout.write("waiting\n");
    }),
    [
      "preset",
      {
        summary: "prints the preset that the libraries will find",
        defaultPreset: "mainnet",
        load: async () =>
          new Command("preset")
            .option("--preset <name>")
            .option("--network <dir>")
            .action(() => void process.stdout.write(String(process.env.LODESTAR_PRESET))),
      },
    ],
  ]),
);
