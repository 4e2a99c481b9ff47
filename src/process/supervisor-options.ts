/** What the primary gives its supervisor: the kinds of processes, how long each may take, and who hears of what. */
import type { Child } from "./child.ts";
import type { OtherMachine, OwnMachine } from "./machines.ts";
import type { ChildKind, Gauges } from "./protocol.ts";
import type { Change } from "./scale.ts";
import type { SizeOptions } from "./size.ts";
import type { Death } from "./slot-options.ts";

export interface RoleOptions {
  readonly kind: ChildKind;
  readonly count: number;
  readonly fork: (id: number) => Child;
  /** Without this option the number never changes by itself, and no advice is given. */
  readonly size?: Omit<SizeOptions, "kind">;
  /**
   * A process that takes more memory than this is replaced. Without this option no process is replaced for
   * its memory.
   */
  readonly memoryBytes?: number | undefined;
}

export interface Place {
  readonly kind: ChildKind;
  readonly id: number;
}

export interface SupervisorOptions {
  readonly machine: OwnMachine;
  /** The other machines, as they reported last; read for each snapshot. */
  readonly others: () => readonly OtherMachine[];
  readonly stallMs: number;
  /** How long a child may take to finish when the server stops. */
  readonly drainMs: number;
  /** How long a child that was replaced may take to finish. */
  readonly leaveMs: (kind: ChildKind) => number;
  /** How long a child that is one too many may take to finish: nothing waits for it. */
  readonly shrinkMs: number;
  /** The primary's own figures, read once a second. */
  readonly gauges: () => Gauges;
  readonly onDeath: (death: Death & Place) => void;
  /** A replacement serves after a death. */
  readonly onReturn: (child: Place & { readonly pid: number }) => void;
  /** A child has booted for `waitedMs` and is not ready. */
  readonly onSlow: (child: Place & { readonly pid: number; readonly waitedMs: number }) => void;
  /** A process takes more memory than its kind may, and is replaced. */
  readonly onHeavy: (heavy: Place & { readonly rssBytes: number }) => void;
  /** The wanted number of processes of a kind has changed. */
  readonly onResize: (resized: { readonly kind: ChildKind; readonly from: number } & Change) => void;
  /** The tree cannot work: one of its processes never came up, or said that no restart can help. */
  readonly onHopeless: (reason: string) => void;
}
