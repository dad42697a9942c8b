/** A node's identity: a libp2p private key, kept in the data directory. */
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { CodedError, errorMessage } from "../base/errors.ts";
import { diskHint, makeDirectory } from "../base/files.ts";

export const KEY_FILE_NAME = "network.key";

export interface Identity {
  readonly peerId: string;
  /** libp2p's protobuf form. */
  readonly privateKey: Uint8Array;
}

/** A fresh identity. secp256k1, as discovery on Ethereum wants it. */
export async function createIdentity(): Promise<Identity> {
  const key = await generateKeyPair("secp256k1");
  return { peerId: peerIdFromPrivateKey(key).toString(), privateKey: privateKeyToProtobuf(key) };
}

/** Throws where the bytes are no usable key. */
export function parsePrivateKey(bytes: Uint8Array): PrivateKey {
  const key = privateKeyFromProtobuf(bytes);
  if (key.type !== "secp256k1" && key.type !== "Ed25519") throw new Error(`keys of type ${key.type} are not supported`);
  // Derives the public key, which is where bytes that are no key are found out.
  peerIdFromPrivateKey(key);
  return key;
}

/**
 * The identity in `dataDir`, made at the first start.
 * Throws a `CodedError`: `BAD_KEY_FILE` where the file is no key, `KEY_FILE_UNREADABLE` on I/O.
 */
export async function loadIdentity(dataDir: string): Promise<Identity> {
  const path = join(dataDir, KEY_FILE_NAME);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return storeIdentity(path, dataDir, await createIdentity());
    throw unreadable(path, error);
  }
  try {
    return { peerId: peerIdFromPrivateKey(parsePrivateKey(bytes)).toString(), privateKey: new Uint8Array(bytes) };
  } catch (error) {
    throw new CodedError(
      "BAD_KEY_FILE",
      `${path} is no libp2p private key: restore it from a copy, or delete it to start with a new identity`,
      { path },
      error,
    );
  }
}

/** Writes beside and renames, so that a crash leaves no half a key; only its owner may read it. */
async function storeIdentity(path: string, dataDir: string, identity: Identity): Promise<Identity> {
  const temporaryPath = `${path}.${process.pid}.tmp`;
  try {
    await makeDirectory(dataDir);
    await rm(temporaryPath, { force: true });
    const file = await open(temporaryPath, "wx", 0o600);
    try {
      await file.writeFile(identity.privateKey);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporaryPath, path);
  } catch (error) {
    throw unreadable(path, error);
  }
  return identity;
}

function unreadable(path: string, error: unknown): CodedError {
  return new CodedError(
    "KEY_FILE_UNREADABLE",
    `The key file ${path} cannot be read or written (${errorMessage(error)}): ${diskHint(error)}`,
    { path },
    error,
  );
}
