/** What the supervisor gives a slot, and what it hears of it. */
import type { SlowBoot } from "./boot-timers.ts";
import type { Child, ChildExit } from "./child.ts";
import type { ChildKind } from "./protocol.ts";
import type { Slot } from "./slot.ts";

export interface Death {
  readonly pid: number;
  readonly exit: ChildExit;
  /** The end of a sentence that begins with the process's name: what happened, and what follows from it. */
  readonly verdict:
    | "died; it is replaced"
    | "died on its way out"
    | "died on its way out; its successor serves"
    | "did not start; it is tried again"
    | "did not start; it is given up";
}

export interface SlotEvents {
  /** A child is gone without having been asked to, or before it had drained. */
  onDeath(slot: Slot, death: Death): void;
  /** After a death, or a start that failed: the next child is ready. */
  onReturn(slot: Slot, pid: number): void;
  /** A child has booted for `waitedMs` and is not ready. */
  onSlow(slot: Slot, slow: SlowBoot): void;
  /** A child was forked, became ready or is gone: `info()` has changed. */
  onChange(): void;
  /** No child of this place became ready, and no restart will help. */
  onHopeless(slot: Slot, reason: string): void;
}

/** A child that is ready and waits to take its slot. */
export interface Prepared {
  /** The new child serves from now on. Resolves when the old one is gone, `withinMs` from now at most. */
  readonly commit: (withinMs: number) => Promise<void>;
  readonly kill: () => void;
}

export interface SlotOptions extends SlotEvents {
  readonly kind: ChildKind;
  readonly id: number;
  readonly stallMs: number;
  /** Failures in a row after which a place that never had a ready child is given up. Undefined: never. */
  readonly maxBootFailures: number | undefined;
  fork(): Child;
}
