/** Programs beside this file, as processes of their own that end when this one does. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Clock, sleep } from "../../base/clock.ts";
import { CodedError } from "../../base/errors.ts";

export interface Program<Ready> {
  /** The one line that it prints on stdout, as JSON. */
  readonly ready: Ready;
  /** False when it has ended by itself. */
  isRunning(): boolean;
  /** What it answers; null where it has ended, or gives no answer in time. */
  ask<Answer>(request: string): Promise<Answer | null>;
  stop(): Promise<void>;
}

/** Between a program and who started it; each request is answered once. */
interface Request {
  readonly id: number;
  readonly request: string;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 7_000;
/** Of an answer from a program that may have much to do. */
const ANSWER_TIMEOUT_MS = 5_000;
/** Of what a program wrote to stderr, kept to tell why it died. */
const MAX_STDERR_CHARS = 4_000;

const fileBeside = (name: string) => fileURLToPath(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url));

/**
 * @param name of the file, without its ending. @param options its one argument, as JSON. @param preloaded files that run before it.
 * Throws a `CodedError` `TARGET_FAILED`.
 */
export async function startProgram<Ready>(
  name: string,
  options: object,
  preloaded: readonly string[],
  clock: Clock,
): Promise<Program<Ready>> {
  const imports = preloaded.flatMap((file) => ["--import", fileBeside(file)]);
  const child = spawn(process.execPath, [...imports, fileBeside(name), JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "pipe", "ipc"],
    // The child ends when its stdin closes, so that it never outlives us.
    env: { ...process.env, MSGBUS_LEASH: "stdin" },
    detached: true,
    // All three are pipes: the types know that of a list of three alone.
  }) as ChildProcessWithoutNullStreams;
  child.stdin.on("error", () => {});
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-MAX_STDERR_CHARS);
  });
  const exited = once(child, "exit").catch(() => {});
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const stop = () => stopChild(child, exited, clock);
  const started = new AbortController();
  const firstLine = new Promise<Ready>((resolve, reject) => {
    const fail = (reason: string) =>
      reject(new CodedError("TARGET_FAILED", `The target did not start: ${reason}\n${stderr}`.trim()));
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code, signal) => fail(signal ?? `exit code ${code}`));
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line) as Ready));
    sleep(clock, START_TIMEOUT_MS, started.signal).then(() => fail(`not ready within ${START_TIMEOUT_MS / 1000} s`));
  });
  let requests = 0;
  try {
    return {
      ready: await firstLine,
      isRunning,
      stop,
      async ask<Answer>(request: string) {
        if (!child.connected) return null;
        const id = ++requests;
        const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
        child.send({ id, request } satisfies Request, () => {});
        try {
          for (;;) {
            const [message] = (await once(child, "message", { signal })) as [{ id: number; answer: Answer }];
            if (message.id === id) return message.answer;
          }
        } catch {
          return null;
        }
      },
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    started.abort();
  }
}

async function stopChild(child: ChildProcessWithoutNullStreams, exited: Promise<unknown>, clock: Clock) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const cancelKill = clock.after(STOP_TIMEOUT_MS, () => child.kill("SIGKILL"));
  child.kill("SIGTERM");
  await exited;
  cancelKill();
}

/** In a program: answers what the process asks that has started it. */
export function answerParent(answer: (request: string) => unknown): void {
  process.on("message", ({ id, request }: Request) => process.send?.({ id, answer: answer(request) }));
  // It must not keep the program alive.
  process.channel?.unref();
}
