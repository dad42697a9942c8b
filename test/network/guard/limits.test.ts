import { expect, it } from "vitest";
import { GUARD_KINDS, type GuardKind, LIMITS } from "../../../src/network/guard/limits.ts";

const HEARTBEAT_S = 0.7;
const FLOOD_PER_SECOND = 10_000;
/** What one RPC of a flood spends of a limit that does not count by the RPC: ids by the hundred, bytes by the kilobyte. */
const SPENT_BY_AN_RPC: Partial<Record<GuardKind, number>> = { ihaveIds: 100, iwantIds: 100, bytes: 10_240 };

it.each(GUARD_KINDS)("limits: %s end a flood of 10,000 a second within a heartbeat", (kind) => {
  const { burst, perSecond } = LIMITS[kind];
  const spentPerSecond = FLOOD_PER_SECOND * (SPENT_BY_AN_RPC[kind] ?? 1);
  expect(burst / (spentPerSecond - perSecond)).toBeLessThanOrEqual(HEARTBEAT_S);
});
