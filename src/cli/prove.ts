/** `msgbus prove`: makes the operation of an exit message from the execution client alone. */
import { writeFile } from "node:fs/promises";
import { Command, Option } from "commander";
import { compress } from "snappy";
import { bytesToHex } from "viem";
import { systemClock } from "../base/clock.ts";
import { CodedError, errorMessage } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import { JsonRpc } from "../execution/json_rpc.ts";
import { type MessageChoice, proveExit } from "../execution/prove.ts";
import { TriggeredExit } from "../spec/types.ts";
import { type Hex, jsonOption, parseHex, parseHttpUrl, parseNonNegativeInteger } from "./options.ts";
import { createHumanOutput, createJsonOutput, type OutputStream } from "./output.ts";

const FORMATS = ["ssz", "snappy", "json"] as const;
type Format = (typeof FORMATS)[number];

interface ProveCommandOptions {
  readonly elUrl: string;
  readonly contract: Hex;
  readonly index?: number;
  readonly tx?: Hex;
  readonly block?: number;
  readonly fromBlock: number;
  readonly out: string;
  readonly format: Format;
  readonly json: boolean;
}

/** Logs of a range may take an execution client long, and nobody's block waits here. */
const TIMEOUT_MS = 30_000;

const EXAMPLES = `
Formats: ssz, the 1132 bytes; snappy, the same as gossip carries it (block format); json, as the Beacon API takes it in
POST /eth/v1/beacon/pool/triggered_exits.

Examples:
  $ msgbus prove --el-url http://127.0.0.1:8545 --contract 0x5fbd…0aa3 --index 0 --out exit.ssz
  $ msgbus prove … --tx 0x39e2…ce10 --block 120 --from-block 1 --format json --out exit.json
`;

export function proveCommand(stdout: OutputStream = process.stdout): Command {
  return new Command("prove")
    .summary("make the operation of an exit message")
    .description(
      "Reads the contract's messages from an execution client, checks that they have the contract's root, and writes the exit operation with its proof",
    )
    .requiredOption("--el-url <url>", "JSON-RPC of an execution client", parseHttpUrl)
    .requiredOption("--contract <address>", "the message bus", parseHex(20))
    .addOption(new Option("--index <n>", "the message's index").argParser(parseNonNegativeInteger).conflicts("tx"))
    .option("--tx <hash>", "the transaction that sent the message", parseHex(32))
    .option("--block <n>", "prove against the root of this block (default: the newest)", parseNonNegativeInteger)
    .option("--from-block <n>", "a block at or before the contract's deployment", parseNonNegativeInteger, 0)
    .requiredOption("--out <file>", "where to write the operation; overwritten")
    .addOption(new Option("--format <format>", "of the file").choices(FORMATS).default("ssz"))
    .addOption(jsonOption())
    .addHelpText("after", EXAMPLES)
    .action((options: ProveCommandOptions) => prove(options, stdout));
}

async function prove(options: ProveCommandOptions, stdout: OutputStream): Promise<void> {
  const { elUrl, contract, block, fromBlock, out, format } = options;
  const rpc = new JsonRpc({ url: elUrl, timeoutMs: TIMEOUT_MS }, { clock: systemClock, log: silentLogger });
  const choice = chooseMessage(options);
  const proven = await proveExit(
    { contract, choice, fromBlock, ...(block === undefined ? {} : { blockNumber: block }) },
    rpc,
  );
  const bytes = await encode(proven.operation, format);
  await writeFile(out, bytes).catch((error) => {
    throw new CodedError(
      "OUT_NOT_WRITABLE",
      `Cannot write ${out} (${errorMessage(error)}): give --out a file in a directory that is there and may be written`,
      { file: out },
      error,
    );
  });
  const index = proven.message.index;
  const pubkey = bytesToHex(proven.operation.data.pubkey);
  const sender = bytesToHex(proven.message.sender);
  const root = bytesToHex(proven.root);
  const { blockNumber, blockHash, count } = proven;
  const transactionHash = bytesToHex(proven.message.transactionHash);
  const output = options.json ? createJsonOutput(systemClock, stdout) : createHumanOutput(stdout);
  output.event(
    "proven",
    { index, pubkey, sender, transactionHash, root, count, blockNumber, blockHash, file: out, format },
    [
      `message  ${index} of ${count}, sent by ${sender}`,
      `pubkey   ${pubkey}`,
      `root     ${root}, the contract's at block ${blockNumber}`,
      `file     ${out} (${format}, ${bytes.length} bytes)`,
    ].join("\n"),
  );
}

function chooseMessage({ index, tx }: ProveCommandOptions): MessageChoice {
  if (index !== undefined) return { index: BigInt(index) };
  if (tx !== undefined) return { transactionHash: tx };
  throw new CodedError("NO_MESSAGE_CHOSEN", "Which message? Give --index N or --tx 0x…");
}

async function encode(operation: TriggeredExit, format: Format): Promise<Uint8Array> {
  switch (format) {
    case "ssz":
      return TriggeredExit.serialize(operation);
    case "snappy":
      return compress(Buffer.from(TriggeredExit.serialize(operation)));
    case "json":
      return Buffer.from(`${JSON.stringify(TriggeredExit.toJson(operation), null, 2)}\n`);
  }
}
