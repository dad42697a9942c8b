/** The `msgbus` program: finds the command, chooses the preset, imports only what runs, words every failure. */
import { Command, CommanderError } from "commander";
import { CodedError, errorMessage } from "../base/errors.ts";
import { requestedPreset } from "./preset.ts";
import { packageVersion } from "./version.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** EX_SOFTWARE of sysexits.h: the fault is ours. */
const EXIT_BUG = 70;

export interface CommandEntry {
  readonly summary: string;
  /** The preset where neither `--preset` nor `--network` names one. */
  readonly defaultPreset?: string;
  readonly load: () => Promise<Command>;
}

export type CommandTable = ReadonlyMap<string, CommandEntry>;

/** What `msgbus --help` lists; a command's module is imported only when that command is asked for. */
const COMMANDS: CommandTable = new Map<string, CommandEntry>([
  [
    "genesis",
    {
      summary: "write a network directory",
      defaultPreset: "minimal",
      load: async () => (await import("./genesis.ts")).genesisCommand(),
    },
  ],
  ["node", { summary: "run a node", load: async () => (await import("./node.ts")).nodeCommand() }],
  [
    "devnet",
    {
      summary: "run a whole test network and show the main job",
      defaultPreset: "minimal",
      load: async () => (await import("./devnet.ts")).devnetCommand(),
    },
  ],
  [
    "send",
    {
      summary: "send an exit message to the contract",
      load: async () => (await import("./send.ts")).sendCommand(),
    },
  ],
  [
    "prove",
    {
      summary: "make the operation of an exit message",
      load: async () => (await import("./prove.ts")).proveCommand(),
    },
  ],
  [
    "fuzz",
    {
      summary: "attack a gossip peer and report what held",
      defaultPreset: "minimal",
      load: async () => (await import("./fuzz.ts")).fuzzCommand(),
    },
  ],
  [
    "measure",
    {
      summary: "measure how messages propagate in a network",
      defaultPreset: "minimal",
      load: async () => (await import("./measure.ts")).measureCommand(),
    },
  ],
  [
    "vectors",
    {
      summary: "run a tree of test vectors",
      load: async () => (await import("./vectors.ts")).vectorsCommand(),
    },
  ],
]);

/** The program with `commandName` (if there is such a command) in full and the others in outline. */
async function createProgram(commands: CommandTable, commandName: string | undefined): Promise<Command> {
  const program = new Command("msgbus")
    .description("A gossip node for Ethereum's EL→CL message bus, and the tools around it")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .showHelpAfterError("Run with --help for the options and examples.")
    // What follows a command's name is that command's, though the one above may have an option of that name.
    .enablePositionalOptions()
    .exitOverride();
  for (const [name, entry] of commands) {
    const command = name === commandName ? await entry.load() : new Command(name);
    program.addCommand(withSettings(requireLast(command.summary(entry.summary)), program));
  }
  return program;
}

/** `addCommand` passes nothing on, so that a command would exit by itself instead of throwing. */
function withSettings(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) withSettings(child, command);
  return command;
}

/** Commander looks for missing options before unknown ones, so that who mistypes one is told of another. */
function requireLast(command: Command): Command {
  const required = command.options.filter((option) => option.mandatory);
  for (const option of required) option.makeOptionMandatory(false);
  return command.hook("preAction", () => {
    const missing = required.find((option) => command.getOptionValue(option.attributeName()) === undefined);
    if (missing !== undefined) command.error(`error: required option '${missing.flags}' not specified`);
  });
}

/** Runs one command line, without `node` and script. Never throws; sets `process.exitCode`. */
export async function main(args: readonly string[], commands: CommandTable = COMMANDS): Promise<void> {
  process.on("uncaughtException", (error) =>
    isBrokenPipe(error) ? onBrokenPipe() : process.exit(report(error, args)),
  );
  process.stdout.on("error", (error) => (isBrokenPipe(error) ? onBrokenPipe() : process.exit(report(error, args))));
  process.stderr.on("error", onBrokenPipe);
  try {
    const commandName = args.find((arg) => !arg.startsWith("-") && arg !== "help");
    const preset = requestedPreset(args) ?? commands.get(commandName ?? "")?.defaultPreset;
    if (preset !== undefined) process.env.LODESTAR_PRESET = preset;
    const program = await createProgram(commands, commandName);
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    process.exitCode = report(error, args);
  }
}

/** Words the failure on stderr (commander has already worded its own); the exit code. */
function report(error: unknown, args: readonly string[]): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  const stack = error instanceof Error ? `${error.stack}\n` : "";
  if (error instanceof CodedError) {
    process.stderr.write(`error: ${error.message} (${error.code})\n${wantsStack(args) ? stack : ""}`);
    return EXIT_FAILURE;
  }
  process.stderr.write(
    `error: ${errorMessage(error)}\nThis is a bug in msgbus ${packageVersion()}: please report it with these lines.\n${stack}`,
  );
  return EXIT_BUG;
}

function wantsStack(args: readonly string[]): boolean {
  return Boolean(process.env.MSGBUS_DEBUG) || /--log-level[= ](debug|trace)/.test(args.join(" "));
}

/** The reader of our output has gone (`| head`, a closed terminal): EPIPE from a pipe, EIO from a terminal. */
function isBrokenPipe(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return (code === "EPIPE" || code === "EIO") && syscall === "write";
}

/** Nobody reads on: leave quietly, by way of the command's own shutdown where it has one. */
function onBrokenPipe(): void {
  if (process.listenerCount("SIGTERM") > 0) process.kill(process.pid, "SIGTERM");
  else process.exit();
}
