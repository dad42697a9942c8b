/** Chooses the preset before the first import of a library that reads it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { CodedError, errorMessage } from "../base/errors.ts";

const PRESETS = ["mainnet", "minimal"];

/**
 * The preset that a command line asks for: `--preset`, else PRESET_BASE of the `--network` directory's config.yaml.
 * Null where it asks for none, or for one that the command's own parser is about to refuse.
 *
 * @throws CodedError NETWORK_UNREADABLE, NETWORK_INVALID.
 */
export function requestedPreset(args: readonly string[]): string | null {
  const preset = optionValue(args, "--preset");
  if (preset !== null) return PRESETS.includes(preset) ? preset : null;
  const network = optionValue(args, "--network");
  return network === null ? null : networkPreset(network);
}

function networkPreset(networkDir: string): string {
  const file = join(networkDir, "config.yaml");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new CodedError(
      "NETWORK_UNREADABLE",
      `Cannot read ${file} (${errorMessage(error)}): --network takes a directory that "msgbus genesis" wrote`,
      { file },
      error,
    );
  }
  let preset: unknown;
  try {
    preset = parse(text)?.PRESET_BASE;
  } catch (error) {
    throw new CodedError("NETWORK_INVALID", `${file} is not YAML: ${errorMessage(error)}`, { file }, error);
  }
  if (typeof preset !== "string" || !PRESETS.includes(preset)) {
    throw new CodedError("NETWORK_INVALID", `PRESET_BASE in ${file} must be one of ${PRESETS.join(", ")}`, { file });
  }
  return preset;
}

function optionValue(args: readonly string[], name: string): string | null {
  const index = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`));
  const arg = args[index];
  if (arg === undefined) return null;
  return (arg === name ? args[index + 1] : arg.slice(name.length + 1)) ?? null;
}
