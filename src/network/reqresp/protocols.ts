/** The req/resp protocols that this node speaks. @spec phase0/p2p-interface.md#the-reqresp-domain */
import { MAX_PAYLOAD_SIZE_BYTES } from "../topics.ts";
import {
  BLOCKS_BY_RANGE_SIZE,
  MAX_REQUEST_BLOCKS,
  METADATA_V3_SIZE,
  STATUS_V1_SIZE,
  STATUS_V2_SIZE,
  UINT64_SIZE,
} from "./messages.ts";

export interface SizeRange {
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** Requests that a peer may send: `burst` at once, and as many again in each `periodMs`. */
export interface Quota {
  readonly burst: number;
  readonly periodMs: number;
}

export interface Protocol {
  readonly id: string;
  /** null: the request has no payload at all. */
  readonly request: SizeRange | null;
  readonly response: SizeRange;
  /** Response chunks begin with the fork digest of what they hold. */
  readonly hasContext: boolean;
  readonly quota: Quota;
}

const exactly = (bytes: number): SizeRange => ({ minBytes: bytes, maxBytes: bytes });

function protocol(
  name: string,
  request: SizeRange | null,
  response: SizeRange,
  quota: Quota,
  hasContext = false,
): Protocol {
  return { id: `/eth2/beacon_chain/req/${name}/ssz_snappy`, request, response, hasContext, quota };
}

/** Offset, signature, and the least of a block. */
const BLOCK_SIZES: SizeRange = { minBytes: 100, maxBytes: MAX_PAYLOAD_SIZE_BYTES };
const CONTROL_QUOTA: Quota = { burst: 10, periodMs: 10_000 };
/** Counted in blocks, not in requests: what a syncing node may take. */
const BLOCKS_QUOTA: Quota = { burst: 8 * MAX_REQUEST_BLOCKS, periodMs: 10_000 };

export const STATUS_V2 = protocol("status/2", exactly(STATUS_V2_SIZE), exactly(STATUS_V2_SIZE), CONTROL_QUOTA);
export const STATUS_V1 = protocol("status/1", exactly(STATUS_V1_SIZE), exactly(STATUS_V1_SIZE), CONTROL_QUOTA);
export const GOODBYE_V1 = protocol("goodbye/1", exactly(UINT64_SIZE), exactly(UINT64_SIZE), CONTROL_QUOTA);
export const PING_V1 = protocol("ping/1", exactly(UINT64_SIZE), exactly(UINT64_SIZE), CONTROL_QUOTA);
export const METADATA_V3 = protocol("metadata/3", null, exactly(METADATA_V3_SIZE), CONTROL_QUOTA);
export const BLOCKS_BY_RANGE_V2 = protocol(
  "beacon_blocks_by_range/2",
  exactly(BLOCKS_BY_RANGE_SIZE),
  BLOCK_SIZES,
  BLOCKS_QUOTA,
  true,
);
export const BLOCKS_BY_ROOT_V2 = protocol(
  "beacon_blocks_by_root/2",
  { minBytes: 32, maxBytes: 32 * MAX_REQUEST_BLOCKS },
  BLOCK_SIZES,
  BLOCKS_QUOTA,
  true,
);

/** @spec phase0/p2p-interface.md#goodbye-v1 */
export const GOODBYE_SHUTDOWN = 1n;
export const GOODBYE_IRRELEVANT_NETWORK = 2n;
