import fc from "fast-check";
import { compressSync } from "snappy";
import { describe, expect, test } from "vitest";
import { BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR, GOSSIP_ROOT_MARGIN } from "../../src/spec/preset.ts";
import { BeaconState, TriggeredExit } from "../../src/spec/types.ts";
import { getTriggeredExitValidity } from "../../src/state/triggered_exit.ts";
import { judgeSerializedTriggeredExit, judgeTriggeredExit } from "../../src/validation/triggered_exit.ts";
import { TRIGGERED_EXIT_CODES } from "../../src/validation/verdict.ts";
import { createExitScenario, EXITING_VALIDATOR, STRANGER } from "../state/exit_scenario.ts";
import { follow, setPrefix, validatorOf } from "./exit_changes.ts";

const WINDOW = BLOCKS_PER_MESSAGE_BUS_ROOTS_VECTOR;
const FAR_FUTURE = Number.POSITIVE_INFINITY;

describe("triggered exit verdict, whatever the bytes", () => {
  const { scenario, sent } = createExitScenario();
  const valid = TriggeredExit.serialize(scenario.operation(sent));
  const context = { ...scenario.context(), contract: follow(scenario) };
  const stateRoot = scenario.head.hashTreeRoot();
  const codes = new Set<string>(TRIGGERED_EXIT_CODES);

  function expectClosed(wireData: Uint8Array): void {
    const { verdict } = judgeTriggeredExit(wireData, context);
    expect(codes.has(verdict.code)).toBe(true);
  }

  test("triggered exit: random bytes end in a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1400 }), (bytes) => {
        expectClosed(bytes);
        expectClosed(compressSync(bytes));
        // Declares the right length, so that the decompressor sees the rest.
        expectClosed(Buffer.concat([Uint8Array.from([0xec, 0x08]), bytes]));
      }),
      { numRuns: 1000 },
    );
  });

  test("triggered exit: 1132 random bytes, and the valid one with random bytes in it, end in a code", () => {
    const patch = fc.tuple(fc.nat({ max: valid.length - 1 }), fc.uint8Array({ minLength: 1, maxLength: 64 }));
    fc.assert(
      fc.property(
        fc.array(patch, { maxLength: 4 }),
        fc.uint8Array({ minLength: 1132, maxLength: 1132 }),
        (patches, noise) => {
          const bytes = valid.slice();
          for (const [offset, patched] of patches) bytes.set(patched.slice(0, bytes.length - offset), offset);
          expectClosed(compressSync(bytes));
          expectClosed(compressSync(noise));
          expect(["VALID", "FORGED_PROOF"].includes(judgeSerializedTriggeredExit(valid, context).verdict.code)).toBe(
            true,
          );
        },
      ),
      { numRuns: 1000 },
    );
    expect(scenario.head.hashTreeRoot()).toEqual(stateRoot);
  });
});

describe("triggered exit verdict beside the block's rules", () => {
  test("triggered exit: on any state ACCEPT means that a block may hold it, and what a block may hold by a lasting root is ACCEPTed", () => {
    const epochs = fc.constantFrom(0, 20, 21, 22, 84, 85, 86, FAR_FUTURE);
    fc.assert(
      fc.property(
        fc.record({
          activationEpoch: epochs,
          exitEpoch: fc.oneof({ arbitrary: fc.constant(FAR_FUTURE), weight: 4 }, epochs),
          prefix: fc.constantFrom(0x00, 0x01, 0x02, 0x03),
          sender: fc.constantFrom("withdrawal address", "stranger"),
          pendingGwei: fc.constantFrom(null, 0n, 1n),
          rootAge: fc.nat({ max: WINDOW }),
          flippedBit: fc.option(fc.nat({ max: 1132 * 8 - 1 }), { freq: 2 }),
        }),
        ({ activationEpoch, exitEpoch, prefix, sender, pendingGwei, rootAge, flippedBit }) => {
          const { scenario } = createExitScenario();
          const { head } = scenario;
          setPrefix(head, prefix);
          Object.assign(validatorOf(head), { activationEpoch, exitEpoch });
          if (pendingGwei !== null) {
            const pending = { validatorIndex: EXITING_VALIDATOR, amount: pendingGwei, withdrawableEpoch: 99 };
            const { elementType } = BeaconState.fields.pendingPartialWithdrawals;
            head.pendingPartialWithdrawals.push(elementType.toViewDU(pending));
          }
          const sent = scenario.send(EXITING_VALIDATOR, sender === "stranger" ? STRANGER : undefined);
          if (rootAge < WINDOW) scenario.storeRoot(head, rootAge);
          head.commit();
          const ssz = TriggeredExit.serialize(scenario.operation(sent));
          if (flippedBit !== null) {
            ssz[flippedBit >> 3] = (ssz[flippedBit >> 3] as number) ^ (1 << (flippedBit & 7));
          }

          const validity = getTriggeredExitValidity(head, TriggeredExit.deserialize(ssz)).code;
          const { verdict } = judgeSerializedTriggeredExit(ssz, scenario.context());
          const isExpiring = verdict.code === "ROOT_EXPIRING";
          expect(verdict.code === "VALID").toBe(validity === "VALID" && !isExpiring);
          if (isExpiring) expect(WINDOW - rootAge).toBeLessThanOrEqual(GOSSIP_ROOT_MARGIN);
        },
      ),
      { numRuns: 300 },
    );
  });
});
