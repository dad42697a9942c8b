/**
 * Compiles the contract and writes the artifact that the code reads: `node contracts/compile.ts`. A test compiles
 * again and compares, so that source and artifact cannot drift apart.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { CodedError } from "../src/base/errors.ts";

const SOURCE_NAME = "MessageBus.sol";
const CONTRACT_NAME = "MessageBus";
const ARTIFACT_URL = new URL("../src/execution/contract_artifact.ts", import.meta.url);

/**
 * Everything that decides over the bytecode. No metadata: its hash would change with every comment. Cancun is the
 * newest version that every execution client of a Fulu network runs and the compiler needs nothing newer.
 */
const SETTINGS = {
  evmVersion: "cancun",
  optimizer: { enabled: true, runs: 1_000_000 },
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: {
    [SOURCE_NAME]: { [CONTRACT_NAME]: ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] },
  },
} as const;

type SolcOutput = {
  errors?: { severity: string; formattedMessage: string }[];
  contracts?: Record<
    string,
    Record<string, { abi: unknown; evm: { bytecode: { object: string }; deployedBytecode: { object: string } } }>
  >;
};

/** Compiles `contracts/MessageBus.sol` and returns the text of `src/execution/contract_artifact.ts`. */
export function compileArtifact(): string {
  // solc is CommonJS without types; what we use of it is these two functions.
  const solc: { compile(input: string): string; version(): string } = createRequire(import.meta.url)("solc");
  const content = readFileSync(new URL(SOURCE_NAME, import.meta.url), "utf8");
  const input = { language: "Solidity", sources: { [SOURCE_NAME]: { content } }, settings: SETTINGS };
  const output: SolcOutput = JSON.parse(solc.compile(JSON.stringify(input)));
  const contract = output.contracts?.[SOURCE_NAME]?.[CONTRACT_NAME];
  if (contract === undefined || (output.errors ?? []).length > 0) {
    const sentences = (output.errors ?? []).map((error) => error.formattedMessage).join("\n");
    throw new CodedError("CONTRACT_NOT_COMPILED", `${SOURCE_NAME} does not compile cleanly:\n${sentences}`);
  }
  return `/** Written by contracts/compile.ts from contracts/MessageBus.sol: do not edit. */
// biome-ignore-all format: the compiler's own words
export const MESSAGE_BUS_COMPILER = ${JSON.stringify(solc.version())};

export const messageBusAbi = ${JSON.stringify(contract.abi)} as const;

/** Creation code; the constructor takes nothing. */
export const MESSAGE_BUS_BYTECODE = "0x${contract.evm.bytecode.object}";

/** What stands at the contract's address. */
export const MESSAGE_BUS_RUNTIME_BYTECODE = "0x${contract.evm.deployedBytecode.object}";
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(ARTIFACT_URL, compileArtifact());
