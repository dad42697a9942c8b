/** IP addresses as the guard sees them: who lives where, and which ranges are a test network's. */
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { CODE_IP4, CODE_IP6, type Multiaddr } from "@multiformats/multiaddr";
import { CodedError } from "../../base/errors.ts";

const LOOPBACK = ["127.0.0.0/8", "::1/128"];

export interface AddressRanges {
  has(ip: string): boolean;
}

/** Loopback, and what `ranges` (CIDR) adds. Throws a `CodedError` `BAD_ADDRESS_RANGE`. */
export function sharedRanges(ranges: readonly string[]): AddressRanges {
  const list = new BlockList();
  for (const range of [...LOOPBACK, ...ranges]) {
    const [address = "", prefix] = range.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    try {
      list.addSubnet(address, prefix === undefined ? (family === "ipv4" ? 32 : 128) : Number(prefix), family);
    } catch (error) {
      throw new CodedError(
        "BAD_ADDRESS_RANGE",
        `"${range}" is no address range: give one like 10.0.0.0/8 or fd00::/8`,
        { range },
        error,
      );
    }
  }
  return { has: (ip) => list.check(ip, isIPv6(ip) ? "ipv6" : "ipv4") };
}

/** Null where the address names no IP. */
export function ipOf(address: Multiaddr): string | null {
  return address.getComponents().find(({ code }) => code === CODE_IP4 || code === CODE_IP6)?.value ?? null;
}

/**
 * The blocks that an address lies in, the smallest first: what one customer has (an IPv4 address, an IPv6 /64), then
 * what one provider can hand out cheaply (an IPv4 /24, an IPv6 /48).
 */
export function blocksOf(ip: string): [string, string] {
  if (isIPv4(ip)) return [`${ip}/32`, `${ip.split(".").slice(0, 3).join(".")}.0/24`];
  const groups = ipv6Groups(ip);
  return [`${groups.slice(0, 4).join(":")}::/64`, `${groups.slice(0, 3).join(":")}::/48`];
}

function ipv6Groups(ip: string): string[] {
  const [head = "", tail = ""] = ip.toLowerCase().replace(/%.*$/, "").split("::");
  const groupsOf = (part: string) => (part === "" ? [] : part.split(":"));
  const front = groupsOf(head);
  const back = groupsOf(tail);
  const gap = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => "0");
  return [...front, ...gap, ...back].map((group) => group.replace(/^0+(?=.)/, ""));
}
