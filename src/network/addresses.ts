import { CODE_P2P, CODE_TCP, type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { CodedError } from "../base/errors.ts";

/** An address to listen on. Throws `BAD_MULTIADDR`. */
export function parseListenAddress(text: string): Multiaddr {
  const address = parse(text);
  if (address === null || !address.getComponents().some(({ code }) => code === CODE_TCP)) {
    throw new CodedError("BAD_MULTIADDR", `"${text}" is no address to listen on: give one like /ip4/0.0.0.0/tcp/9000`, {
      address: text,
    });
  }
  return address;
}

export interface Bootnode {
  readonly peerId: string;
  readonly address: Multiaddr;
}

/** The address of a peer to dial. Throws `BAD_BOOTNODE`. */
export function parseBootnode(text: string): Bootnode {
  const address = parse(text);
  const components = address?.getComponents() ?? [];
  const peerId = components.findLast(({ code }) => code === CODE_P2P)?.value;
  if (address === null || peerId === undefined || !components.some(({ code }) => code === CODE_TCP)) {
    throw new CodedError(
      "BAD_BOOTNODE",
      `"${text}" is no bootnode: give a multiaddr with a peer id, like /ip4/203.0.113.7/tcp/9000/p2p/16Uiu2HA…`,
      { address: text },
    );
  }
  return { peerId, address };
}

function parse(text: string): Multiaddr | null {
  try {
    return multiaddr(text);
  } catch {
    return null;
  }
}
