/** Bare TCP connections to a target, for attacks below libp2p. */
import { connect, type Socket } from "node:net";
import { multiaddr } from "@multiformats/multiaddr";
import { CodedError } from "../../base/errors.ts";

/** Throws a `CodedError` `BAD_MULTIADDR` where the address is not /ip4 or /ip6 with /tcp. */
export function socketAddress(address: string): { host: string; port: number } {
  const components = multiaddr(address).getComponents();
  const host = components.find(({ name }) => name === "ip4" || name === "ip6")?.value;
  const port = Number(components.find(({ name }) => name === "tcp")?.value);
  if (host === undefined || !Number.isInteger(port)) {
    throw new CodedError("BAD_MULTIADDR", `${address} has no /ip4 or /ip6 and /tcp part`, { address });
  }
  return { host, port };
}

/** Resolves to null where the connection is refused. */
export function openSocket(address: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = connect(socketAddress(address));
    socket.once("connect", () => resolve(socket));
    socket.on("error", () => resolve(null));
    socket.on("data", () => {});
  });
}
