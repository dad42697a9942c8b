/**
 * Network namespaces of a run's own (Linux): a bridge in one, and one more for each process of nodes, which then has an
 * address of its own. No privilege is needed where user namespaces are allowed. Each is held by a process that ends when ours
 * does, whatever ends it; the kernel removes what nobody holds.
 */
import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";
import { CodedError, errorMessage } from "../../base/errors.ts";

const run = promisify(execFile);

/** For private use (RFC 1918); nobody outside the namespaces sees it. */
export const NETNS_RANGE = "10.77.0.0/16";
const HUB_ADDRESS = "10.77.255.254";
const COMMAND_TIMEOUT_MS = 10_000;

/** Where a process runs. */
export interface Place {
  readonly host: string;
  /** Stands before the program and its arguments; empty: here. */
  readonly enter: readonly string[];
}

export const HERE: Place = { host: "127.0.0.1", enter: [] };

type Holder = ChildProcessByStdio<Writable, Readable, Readable>;

export class NetworkNamespaces {
  readonly #holders: Holder[] = [];
  /** On the bridge: for what is no node. */
  hub: Place = HERE;
  /** One a process. */
  readonly places: Place[] = [];

  /** Throws a `CodedError` `NETNS_UNAVAILABLE`, which says what is missing. */
  static async open(processes: number): Promise<NetworkNamespaces> {
    const namespaces = new NetworkNamespaces();
    try {
      await namespaces.#open(processes);
      return namespaces;
    } catch (error) {
      await namespaces.close();
      throw new CodedError("NETNS_UNAVAILABLE", `--netns cannot be had here: ${reasonOf(error)}`, {}, error);
    }
  }

  async #open(processes: number): Promise<void> {
    if (process.platform !== "linux") throw new Error("network namespaces are Linux's");
    const hub = await this.#hold("unshare", ["--user", "--map-root-user", "--net", "cat"]);
    const inHub = entering(hub, "--net");
    this.hub = { host: HUB_ADDRESS, enter: inHub };
    await ip(inHub, "link", "set", "lo", "up");
    await ip(inHub, "link", "add", "hub", "type", "bridge");
    await ip(inHub, "addr", "add", `${HUB_ADDRESS}/16`, "dev", "hub");
    await ip(inHub, "link", "set", "hub", "up");
    for (let index = 0; index < processes; index++) {
      const [command = "", ...args] = [...entering(hub), "unshare", "--net", "cat"];
      const pid = await this.#hold(command, args);
      const enter = entering(pid, "--net");
      const host = `10.77.${Math.floor(index / 250)}.${(index % 250) + 1}`;
      await ip(inHub, "link", "add", `port${index}`, "type", "veth", "peer", "name", "eth0", "netns", String(pid));
      await ip(inHub, "link", "set", `port${index}`, "master", "hub", "up");
      await ip(enter, "addr", "add", `${host}/16`, "dev", "eth0");
      await ip(enter, "link", "set", "eth0", "up");
      await ip(enter, "link", "set", "lo", "up");
      this.places.push({ host, enter });
    }
  }

  /** Resolves to the process that holds the namespace, when it does. */
  async #hold(command: string, args: readonly string[]): Promise<number> {
    // Its own process group: a Ctrl-C in the terminal is ours to act on.
    const holder = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
    this.#holders.push(holder);
    holder.stdin.on("error", () => {});
    const timeout = AbortSignal.timeout(COMMAND_TIMEOUT_MS);
    const complaint = once(holder.stderr, "data", { signal: timeout });
    const echo = once(holder.stdout, "data", { signal: timeout });
    const ended = once(holder, "exit", { signal: timeout });
    for (const outcome of [complaint, echo, ended]) outcome.catch(() => {});
    holder.stdin.write("\n");
    // `cat` answers from within.
    const said = await Promise.race([
      echo.then(() => ""),
      complaint.then(([text]) => String(text).trim()),
      ended.then(([code]) => `${command} ended with ${code}`),
    ]);
    if (said !== "" || holder.pid === undefined) throw new Error(said);
    return holder.pid;
  }

  /** The processes in them must have ended. */
  async close(): Promise<void> {
    await Promise.all(
      this.#holders.map(async (holder) => {
        if (holder.pid === undefined || holder.exitCode !== null || holder.signalCode !== null) return;
        const ended = once(holder, "exit");
        holder.stdin.end();
        await ended;
      }),
    );
  }
}

function entering(pid: number, ...namespaces: string[]): string[] {
  return ["nsenter", "--target", String(pid), "--user", ...namespaces, "--preserve-credentials", "--"];
}

async function ip(enter: readonly string[], ...args: string[]): Promise<void> {
  const [command = "", ...before] = enter;
  await run(command, [...before, "ip", ...args], { timeout: COMMAND_TIMEOUT_MS });
}

function reasonOf(error: unknown): string {
  const { code, path, stderr } = error as { code?: unknown; path?: string; stderr?: string };
  if (code === "ENOENT") return `there is no ${path} (it is of util-linux)`;
  const text = (stderr || errorMessage(error)).trim();
  if (/failed to execute ip/.test(text)) return "there is no ip (it is of iproute2)";
  if (/not permitted|Permission denied/.test(text)) {
    return `the system does not allow it (${text}): unprivileged user namespaces, or root with CAP_SYS_ADMIN, are needed`;
  }
  if (/Unknown device type|not supported/.test(text)) return `the kernel has no bridges or veth pairs (${text})`;
  return text;
}
