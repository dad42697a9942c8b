/** Slots and epochs from the wall clock. */
import { SLOTS_PER_EPOCH } from "@lodestar/params";
import type { CancelTimer, Clock } from "../base/clock.ts";

/** @spec phase0/p2p-interface.md#configuration */
export const MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS = 500;

/** Attestations are due after this part of a slot. @spec phase0/validator.md#attesting */
const INTERVALS_PER_SLOT = 3;

type SlotListener = (slot: number) => void;

/**
 * Tells each slot's start and the moment when attestations are due, each at most once, in order, and only while it is
 * still that slot: slots that a sleeping machine or a clock jump passed over are skipped, and a clock set back is
 * silent until it has caught up.
 */
export class SlotClock {
  private readonly clock: Clock;
  private readonly genesisMs: number;
  readonly slotDurationMs: number;
  private readonly slotListeners = new Set<SlotListener>();
  private readonly attestationListeners = new Set<SlotListener>();
  private cancelTimer: CancelTimer | null = null;
  private toldSlot = -1;
  private toldAttestationSlot = -1;

  constructor(clock: Clock, genesisTimeS: number, slotDurationMs: number) {
    this.clock = clock;
    this.genesisMs = genesisTimeS * 1000;
    this.slotDurationMs = slotDurationMs;
  }

  /** The wall clock's slot; -1 before genesis. */
  get currentSlot(): number {
    return this.slotAtMs(this.clock.nowMs());
  }

  /** The wall clock's epoch; 0 before genesis. */
  get currentEpoch(): number {
    return Math.max(0, Math.floor(this.currentSlot / SLOTS_PER_EPOCH));
  }

  slotAtMs(unixMs: number): number {
    return Math.max(-1, Math.floor((unixMs - this.genesisMs) / this.slotDurationMs));
  }

  slotStartMs(slot: number): number {
    return this.genesisMs + slot * this.slotDurationMs;
  }

  msIntoSlot(slot: number): number {
    return this.clock.nowMs() - this.slotStartMs(slot);
  }

  get attestationDueMs(): number {
    return Math.floor(this.slotDurationMs / INTERVALS_PER_SLOT);
  }

  /** Whether `slot` has begun on some honest node's clock. */
  hasStarted(slot: number): boolean {
    return this.clock.nowMs() + MAXIMUM_GOSSIP_CLOCK_DISPARITY_MS >= this.slotStartMs(slot);
  }

  onSlot(listener: SlotListener): () => void {
    this.slotListeners.add(listener);
    return () => this.slotListeners.delete(listener);
  }

  onAttestationDue(listener: SlotListener): () => void {
    this.attestationListeners.add(listener);
    return () => this.attestationListeners.delete(listener);
  }

  start(): void {
    if (this.cancelTimer === null) this.tick();
  }

  stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
  }

  private tick(): void {
    const slot = this.currentSlot;
    this.arm(slot);
    if (slot > this.toldSlot) {
      this.toldSlot = slot;
      for (const listener of this.slotListeners) listener(slot);
    }
    if (slot > this.toldAttestationSlot && this.msIntoSlot(slot) >= this.attestationDueMs) {
      this.toldAttestationSlot = slot;
      for (const listener of this.attestationListeners) listener(slot);
    }
  }

  /** Sleeps no longer than to the next event by the clock of now, so that a jump is noticed within a slot. */
  private arm(slot: number): void {
    const dueMs = this.slotStartMs(slot) + this.attestationDueMs;
    const nowMs = this.clock.nowMs();
    const nextMs = slot >= 0 && nowMs < dueMs ? dueMs : this.slotStartMs(slot + 1);
    this.cancelTimer = this.clock.after(Math.min(Math.max(nextMs - nowMs, 1), this.slotDurationMs), () => this.tick());
  }
}
