/**
 * New children in the places of old ones, without a gap: a reload, or a rolling restart. Owned by the supervisor. Knows
 * nothing of deaths and sizes.
 */
import type { ChildKind } from "./protocol.ts";
import type { Slot } from "./slot.ts";

export interface RolloutOptions {
  /** The places of a kind that are to serve. */
  readonly slotsOf: (kind: ChildKind) => readonly Slot[];
  /** How long a child that was replaced may take to finish. */
  readonly leaveMs: (kind: ChildKind) => number;
  /** The server drains: nothing is replaced any more. */
  readonly isOver: () => boolean;
  readonly onReplaced: (detail: string) => void;
}

export class Rollout {
  readonly #options: RolloutOptions;
  #ended: Promise<unknown> = Promise.resolve();
  #queued: Promise<boolean> | undefined;

  constructor(options: RolloutOptions) {
    this.#options = options;
  }

  /** Resolves when no replacement is under way. */
  get ended(): Promise<unknown> {
    return this.#ended;
  }

  /**
   * New children for all of `kinds`, in this order; the old ones of a kind drain once its new ones are ready. Resolves
   * with true when the new ones serve, with false when the server began to drain. Rejects, with the old ones still
   * serving, when a new one does not come up. One replacement at a time; a call that comes while one waits for its turn is
   * part of that one.
   */
  replace(kinds: readonly ChildKind[]): Promise<boolean> {
    this.#queued ??= this.#ended.then(() => {
      this.#queued = undefined;
      return this.#replaceNow(kinds);
    });
    this.#ended = this.#queued.catch(() => {});
    return this.#queued;
  }

  /**
   * One kind after the other: the old processes of the first kind take no new work before processes of the
   * next kind can hand them any.
   */
  async #replaceNow(kinds: readonly ChildKind[]): Promise<boolean> {
    for (const kind of kinds) if (!(await this.#replaceKind(kind))) return false;
    this.#options.onReplaced(`new ${kinds.join("s and ")}s serve`);
    return true;
  }

  async #replaceKind(kind: ChildKind): Promise<boolean> {
    const { slotsOf, leaveMs, isOver } = this.#options;
    if (isOver()) return false;
    const prepared = await Promise.all(
      slotsOf(kind).map((slot) =>
        slot.prepare().then(
          (next) => ({ slot, next }),
          (error: unknown) => ({ slot, error }),
        ),
      ),
    );
    // A place that was given up meanwhile needs no new child.
    const failed = prepared.find((one) => "error" in one && !one.slot.isRetired);
    const ready = prepared.flatMap((one) => ("next" in one ? [one.next] : []));
    if (failed || isOver()) for (const next of ready) next.kill();
    if (isOver()) return false;
    if (failed && "error" in failed) throw failed.error;
    for (const next of ready) void next.commit(leaveMs(kind));
    return true;
  }
}
