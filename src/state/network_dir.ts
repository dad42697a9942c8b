/** A network's directory in the ecosystem's form: config.yaml, genesis.ssz, bootnodes.txt, deploy_block.txt. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CodedError, errorMessage } from "../base/errors.ts";
import { makeDirectory } from "../base/files.ts";
import { createMessageBusConfig, type MessageBusBeaconConfig, type NetworkConfig } from "../spec/config.ts";
import { formatNetworkConfig, parseNetworkConfig } from "../spec/config_file.ts";
import { type CachedState, loadState, readGenesisValidatorsRoot } from "./beacon_state.ts";

const FILES = {
  config: "config.yaml",
  genesis: "genesis.ssz",
  bootnodes: "bootnodes.txt",
  deployBlock: "deploy_block.txt",
} as const;

export interface NetworkDir {
  readonly config: MessageBusBeaconConfig;
  readonly genesisState: CachedState;
  /** Multiaddrs with peer id. */
  readonly bootnodes: readonly string[];
  /** Height of the execution block that holds the contract's deployment. */
  readonly deployBlock: number;
}

export interface NewNetworkDir {
  readonly network: NetworkConfig;
  readonly genesisState: CachedState;
  readonly bootnodes: readonly string[];
  readonly deployBlock: number;
}

/**
 * @throws CodedError `NETWORK_UNREADABLE` (a file is missing or cannot be read), `NETWORK_INVALID`, and those of
 * `parseNetworkConfig` and `loadState`.
 */
export async function readNetworkDir(dir: string): Promise<NetworkDir> {
  const { chain, messageBus } = parseNetworkConfig(await readText(dir, FILES.config));
  const genesisBytes = await readBytes(dir, FILES.genesis);
  return {
    ...withFile(join(dir, FILES.genesis), () => {
      const config = createMessageBusConfig(chain, messageBus, readGenesisValidatorsRoot(genesisBytes));
      return { config, genesisState: loadState(config, genesisBytes) };
    }),
    bootnodes: parseBootnodes(await readText(dir, FILES.bootnodes)),
    deployBlock: parseDeployBlock(join(dir, FILES.deployBlock), await readText(dir, FILES.deployBlock)),
  };
}

/**
 * Writes the directory, which must be new or empty.
 *
 * @throws CodedError `NETWORK_EXISTS`, `NETWORK_UNWRITABLE`.
 */
export async function writeNetworkDir(dir: string, network: NewNetworkDir): Promise<void> {
  try {
    await makeDirectory(dir);
    const present = (await readdir(dir)).filter((name) => Object.values<string>(FILES).includes(name));
    if (present.length > 0) {
      throw new CodedError(
        "NETWORK_EXISTS",
        `${dir} already holds a network (${present.join(", ")}): choose another --out, or remove it first`,
        { dir },
      );
    }
    await writeFile(join(dir, FILES.config), formatNetworkConfig(network.network));
    await writeFile(join(dir, FILES.genesis), network.genesisState.serialize());
    await writeFile(join(dir, FILES.deployBlock), `${network.deployBlock}\n`);
    await writeFile(join(dir, FILES.bootnodes), network.bootnodes.map((address) => `${address}\n`).join(""));
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw new CodedError(
      "NETWORK_UNWRITABLE",
      `Cannot write ${dir} (${errorMessage(error)}): choose a directory that may be written, on a disk with room`,
      { dir },
      error,
    );
  }
}

async function readBytes(dir: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(join(dir, name));
  } catch (error) {
    throw new CodedError(
      "NETWORK_UNREADABLE",
      `Cannot read ${join(dir, name)} (${errorMessage(error)}): --network takes a directory that "msgbus genesis" wrote`,
      { dir, name },
      error,
    );
  }
}

/** A state's own errors do not know where it came from. */
function withFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const message = `${file}: ${error.message}. It must be the genesis state that belongs to the config.yaml beside it`;
    throw new CodedError(error.code, message, { ...error.fields, file }, error);
  }
}

async function readText(dir: string, name: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(dir, name));
}

/** One address a line; empty lines and what follows a # do not count. */
function parseBootnodes(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
}

function parseDeployBlock(file: string, text: string): number {
  if (!/^\d{1,15}$/.test(text.trim())) {
    throw new CodedError("NETWORK_INVALID", `${file} must hold the number of an execution block, such as 1`, { file });
  }
  return Number(text.trim());
}
