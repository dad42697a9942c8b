/** `msgbus send`: asks for an exit on the execution layer. */
import { Command } from "commander";
import { bytesToHex, hexToBytes } from "viem";
import { systemClock } from "../base/clock.ts";
import { accountFromKey, sendMessage } from "../execution/contract.ts";
import { TRIGGERED_EXIT_TYPE } from "../execution/form.ts";
import { type Hex, jsonOption, parseHex, parseHttpUrl, parsePositiveInteger, secondsOption } from "./options.ts";
import { createHumanOutput, createJsonOutput, type OutputStream } from "./output.ts";

interface SendOptions {
  readonly elUrl: string;
  readonly contract: Hex;
  readonly key: Hex;
  readonly pubkey: Hex;
  readonly chainId?: number;
  readonly timeout: number;
  readonly json: boolean;
}

const EXAMPLES = `
The key's account must be the one in the validator's withdrawal credentials (0x01 or 0x02): the consensus layer ignores
an exit that anyone else asks for. Done when the message is in a block; "msgbus prove" then makes the operation of it.

Examples:
  $ msgbus send --el-url http://127.0.0.1:8545 --contract 0x5fbd…0aa3 --key 0xac09…ff80 --pubkey 0xa99a…bf2c
  $ msgbus send … --chain-id 1 --timeout 120 --json
`;

export function sendCommand(stdout: OutputStream = process.stdout): Command {
  return new Command("send")
    .summary("send an exit message to the contract")
    .description("Sends the message that asks for a validator's exit, and waits for the block that holds it")
    .requiredOption("--el-url <url>", "JSON-RPC of an execution client", parseHttpUrl)
    .requiredOption("--contract <address>", "the message bus", parseHex(20))
    .requiredOption("--key <hex>", "private key of the withdrawal address", parseHex(32))
    .requiredOption("--pubkey <hex>", "the validator's public key", parseHex(48))
    .option("--chain-id <n>", "refuse any other chain", parsePositiveInteger)
    .addOption(secondsOption("--timeout <seconds>", "how long to wait for the block", 60))
    .addOption(jsonOption())
    .addHelpText("after", EXAMPLES)
    .action((options: SendOptions) => send(options, stdout));
}

async function send(options: SendOptions, stdout: OutputStream): Promise<void> {
  const { contract, pubkey, elUrl, key } = options;
  const message = { messageType: TRIGGERED_EXIT_TYPE, payload: hexToBytes(pubkey) };
  const sent = await sendMessage(elUrl, key, contract, message, {
    clock: systemClock,
    timeoutMs: options.timeout,
    ...(options.chainId === undefined ? {} : { chainId: options.chainId }),
  });
  const leaf = bytesToHex(sent.leaf);
  const output = options.json ? createJsonOutput(systemClock, stdout) : createHumanOutput(stdout);
  output.event(
    "message_sent",
    { ...sent, leaf, contract, pubkey, sender: accountFromKey(key).address.toLowerCase() },
    [
      `tx     ${sent.transactionHash}`,
      `block  ${sent.blockNumber} ${sent.blockHash}`,
      `index  ${sent.index}`,
      `leaf   ${leaf}`,
    ].join("\n"),
  );
}
