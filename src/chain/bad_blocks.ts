/** What was found wrong with blocks, which is said again whenever one comes back. */

import type { BlockCode, BlockVerdict } from "./gossip_codes.ts";
import type { RootHex } from "./root_hex.ts";

/** Blocks found invalid, so that they are refused at once; the oldest is forgotten. */
const MAX_BAD_BLOCKS = 1024;

export class BadBlocks {
  private readonly verdicts = new Map<RootHex, BlockVerdict>();

  has(root: RootHex): boolean {
    return this.verdicts.has(root);
  }

  get(root: RootHex): BlockVerdict | undefined {
    return this.verdicts.get(root);
  }

  /** Honest peers forward a block before they import it: only what gossip's conditions refuse is held against them. */
  mark(root: RootHex, result: "reject" | "ignore", code: BlockCode): BlockVerdict {
    const verdict: BlockVerdict = { result, code };
    this.verdicts.set(root, verdict);
    for (const oldest of this.verdicts.keys()) {
      if (this.verdicts.size <= MAX_BAD_BLOCKS) break;
      this.verdicts.delete(oldest);
    }
    return verdict;
  }
}
