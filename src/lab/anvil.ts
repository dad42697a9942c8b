/** Runs anvil, the execution client of devnets and tests, as a child process of our own. */
import { type ChildProcess, spawn } from "node:child_process";
import { pbkdf2Sync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { toHex } from "viem";
import { HDKey, hdKeyToAccount } from "viem/accounts";
import { z } from "zod";
import { type Clock, sleep } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import { JsonRpc } from "../execution/json_rpc.ts";

const START_TIMEOUT_MS = 10_000;

/** Between asking politely and killing. */
const STOP_TIMEOUT_MS = 2_000;

/** Characters of anvil's complaint that are kept for the error. */
const MAX_COMPLAINT_LENGTH = 2_000;

/** Public by design: anybody can spend from these accounts, so they are good for local chains only. */
const ANVIL_MNEMONIC = "test test test test test test test test test test test junk";

/** The platform packages that @foundry-rs/anvil brings; its own bin is a wrapper process that would outlive a kill. */
const PLATFORM_PACKAGES: Readonly<Record<string, string>> = {
  "linux-x64": "@foundry-rs/anvil-linux-amd64",
  "linux-arm64": "@foundry-rs/anvil-linux-arm64",
  "darwin-x64": "@foundry-rs/anvil-darwin-amd64",
  "darwin-arm64": "@foundry-rs/anvil-darwin-arm64",
  "win32-x64": "@foundry-rs/anvil-win32-amd64",
};

/** Plain JavaScript, since it is no module of ours: it must run as it stands, from sources and from the build. */
const LEASH_PROGRAM = `
const [pid, cacheDir] = process.argv.slice(1);
process.stdin.resume().on("close", () => {
  try { process.kill(Number(pid), "SIGKILL"); } catch {}
  require("node:fs").rmSync(cacheDir, { recursive: true, force: true, maxRetries: 5 });
});
`;

export interface AnvilOptions {
  /** 0, the default, takes a free port. */
  readonly port?: number;
  /** `manual`, the default, mines only when asked to; `instant` mines each transaction. */
  readonly mining?: "manual" | "instant";
  /** Funded accounts of the mnemonic; 10 by default. */
  readonly accounts?: number;
}

export interface AnvilAccount {
  readonly address: `0x${string}`;
  readonly privateKey: `0x${string}`;
}

export interface Anvil {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the process has ended, whoever ended it. */
  readonly exited: Promise<void>;
  /** Mines a block with the transactions that wait. */
  mine(): Promise<void>;
  /** Ends the process and waits until it is gone; may be called again. */
  stop(): Promise<void>;
}

/** BIP-39 without its word list; the native PBKDF2 takes 1 ms where the portable one takes 30. */
const ANVIL_MASTER_KEY = HDKey.fromMasterSeed(pbkdf2Sync(ANVIL_MNEMONIC, "mnemonic", 2_048, 64, "sha512"));

/** Account `index` of anvil's mnemonic. */
export function anvilAccount(index: number): AnvilAccount {
  const account = hdKeyToAccount(ANVIL_MASTER_KEY, { addressIndex: index });
  const privateKey = account.getHdKey().privateKey;
  if (privateKey === null) throw new Error("an account of a mnemonic has a private key");
  return { address: account.address.toLowerCase() as `0x${string}`, privateKey: toHex(privateKey) };
}

/**
 * Starts anvil and waits until it answers.
 *
 * @throws CodedError `ANVIL_UNAVAILABLE`: no binary for this platform, the port is taken, or it does not come up.
 */
export async function startAnvil(options: AnvilOptions, clock: Clock): Promise<Anvil> {
  const args = [
    "--host",
    "127.0.0.1",
    "--port",
    String(options.port ?? 0),
    "--accounts",
    String(options.accounts ?? 10),
  ];
  if ((options.mining ?? "manual") === "manual") args.push("--no-mining");
  const binary = anvilBinary();
  const cacheDir = await mkdtemp(join(tmpdir(), "msgbus-anvil-"));
  args.push("--cache-path", cacheDir);
  // Its own process group: a Ctrl-C in the terminal must not end it before the nodes that it serves.
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const releaseLeash = holdOnLeash(child, cacheDir);
  const exited = new Promise<void>((resolve) => {
    const onEnd = () => {
      releaseLeash();
      resolve();
    };
    child.once("exit", onEnd);
    child.once("error", onEnd);
  });
  const stop = async () => {
    await stopChild(child, exited, clock);
    // Old states, one file a block, which anvil leaves in the home directory when a signal ends it.
    await rm(cacheDir, { recursive: true, force: true });
  };
  try {
    const port = await listeningPort(child, clock);
    const url = `http://127.0.0.1:${port}`;
    const rpc = new JsonRpc({ url }, { clock, log: silentLogger });
    await rpc.request("read", "eth_chainId", [], z.string());
    const mine = async () => void (await rpc.request("write", "evm_mine", [], z.unknown()));
    return { url, port, pid: child.pid as number, exited, mine, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Anvil cannot tell that we have been killed with -9. A process of a few lines can, since its stdin closes then: it ends
 * anvil and removes the cache. Returns how to call it off.
 */
function holdOnLeash({ pid }: ChildProcess, cacheDir: string): () => void {
  if (pid === undefined) return () => {};
  const holder = spawn(process.execPath, ["--eval", LEASH_PROGRAM, String(pid), cacheDir], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // Without a leash anvil serves as well.
  holder.once("error", () => {});
  holder.stdin.on("error", () => {});
  return () => holder.kill("SIGKILL");
}

function anvilBinary(): string {
  const platform = `${process.platform}-${process.arch}`;
  const packageName = PLATFORM_PACKAGES[platform];
  if (packageName === undefined) throw unavailable(`there is no anvil for ${platform}`);
  // The platform package is a dependency of @foundry-rs/anvil, so it is looked up from there.
  try {
    const wrapper = createRequire(createRequire(import.meta.url).resolve("@foundry-rs/anvil/package.json"));
    const manifest = wrapper.resolve(`${packageName}/package.json`);
    return join(dirname(manifest), "bin", process.platform === "win32" ? "anvil.exe" : "anvil");
  } catch {
    throw unavailable(`${packageName} is not installed`);
  }
}

/** Reads the port from what anvil says when it listens: with port 0 there is no other way to know. */
function listeningPort(child: ChildProcess, clock: Clock): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = "";
    let complaint = "";
    const cancel = clock.after(START_TIMEOUT_MS, () =>
      reject(unavailable(`it did not start in ${START_TIMEOUT_MS} ms`)),
    );
    const listen = (chunk: Buffer) => {
      said += chunk.toString();
      const match = /Listening on \S+:(\d+)\s/.exec(said);
      if (match === null) return;
      cancel();
      // Read on, or anvil would block on a full pipe.
      child.stdout?.off("data", listen).resume();
      resolve(Number(match[1]));
    };
    child.stdout?.on("data", listen);
    child.stderr?.on("data", (chunk: Buffer) => {
      if (complaint.length < MAX_COMPLAINT_LENGTH) complaint += chunk.toString();
    });
    child.once("error", (error) => {
      cancel();
      reject(unavailable(errorMessage(error)));
    });
    child.once("close", (code, signal) => {
      cancel();
      reject(unavailable(complaint.trim() || `it ended with ${signal ?? `code ${code}`}`));
    });
  });
}

async function stopChild(child: ChildProcess, exited: Promise<void>, clock: Clock): Promise<void> {
  child.kill("SIGTERM");
  const patience = new AbortController();
  await Promise.race([exited, sleep(clock, STOP_TIMEOUT_MS, patience.signal)]);
  patience.abort();
  child.kill("SIGKILL");
  await exited;
}

function unavailable(reason: string): CodedError {
  return new CodedError(
    "ANVIL_UNAVAILABLE",
    `Cannot run anvil: ${reason}. Install with optional dependencies (npm ci), choose a free port, or give --el-url of a client that runs`,
    { reason },
  );
}
