import { ssz } from "@lodestar/types";
import { describe, expect, test } from "vitest";
import { BeaconState } from "../../src/spec/types.ts";
import { createStateView } from "../../src/state/view.ts";
import { EXITING_VALIDATOR, ExitScenario } from "./exit_scenario.ts";

describe("state view", () => {
  test("state view: shows registry, epochs and pending withdrawals", () => {
    const { head } = new ExitScenario();
    const pending = BeaconState.fields.pendingPartialWithdrawals.elementType;
    head.pendingPartialWithdrawals.push(pending.toViewDU({ validatorIndex: 7, amount: 1n, withdrawableEpoch: 90 }));
    head.pendingPartialWithdrawals.push(pending.toViewDU({ validatorIndex: 8, amount: 0n, withdrawableEpoch: 90 }));
    const view = createStateView(head);
    expect([view.slot, view.epoch]).toEqual([head.slot, head.epochCtx.epoch]);
    const { pubkey, withdrawalCredentials } = head.validators.getReadonly(EXITING_VALIDATOR);
    expect(view.getValidatorIndex(pubkey)).toBe(EXITING_VALIDATOR);
    expect(view.getValidator(EXITING_VALIDATOR)).toMatchObject({
      withdrawalCredentials,
      activationEpoch: 0,
      exitEpoch: Number.POSITIVE_INFINITY,
    });
    expect(view.getValidator(head.validators.length)).toBeNull();
    expect([7, 8, 9].map((index) => view.hasPendingWithdrawal(index))).toEqual([true, false, false]);
  });

  test("state view: stays what it was when clones of its state go on", () => {
    const { head } = new ExitScenario();
    const view = createStateView(head);
    // Read through view and state, so that whatever is cached is there to be shared.
    view.getValidator(EXITING_VALIDATOR);
    head.validators.getAllReadonly();
    head.commit();
    const clone = head.clone();
    clone.validators.get(EXITING_VALIDATOR).exitEpoch = 99;
    const pending = BeaconState.fields.pendingPartialWithdrawals.elementType;
    clone.pendingPartialWithdrawals.push(pending.toViewDU({ validatorIndex: 7, amount: 1n, withdrawableEpoch: 90 }));
    clone.commit();
    expect(createStateView(clone).getValidator(EXITING_VALIDATOR)?.exitEpoch).toBe(99);
    expect(view.getValidator(EXITING_VALIDATOR)?.exitEpoch).toBe(Number.POSITIVE_INFINITY);
    expect(view.hasPendingWithdrawal(7)).toBe(false);
  });

  test("state view: does not know the validator of a longer registry, though the chain's pubkey cache does", () => {
    const { head } = new ExitScenario();
    const pubkey = new Uint8Array(48).fill(0xab);
    const view = createStateView(head);
    head.epochCtx.pubkeyCache.set(head.validators.length, pubkey);
    expect(view.getValidatorIndex(pubkey)).toBeNull();
  });

  test("state view: a state before the fork has no roots", () => {
    const { head } = new ExitScenario();
    const fulu = Object.assign(ssz.fulu.BeaconState.defaultViewDU(), { epochCtx: head.epochCtx, config: head.config });
    const view = createStateView(fulu as unknown as Parameters<typeof createStateView>[0]);
    expect(view.roots.has(new Uint8Array(32))).toBe(false);
    expect(view.roots.payloadsUntilEvicted(new Uint8Array(32).fill(1))).toBe(-1);
  });
});
