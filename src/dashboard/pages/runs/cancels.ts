/**
 * Cancels that a person asked for. A single cancel can be undone for five seconds before it is sent; for many runs the
 * page asks first (runs-page.tsx) and then cancels at once. Leaving the page does not take a cancel back.
 */
import { signal } from "@preact/signals";
import { problemOf, type Problem } from "../../live/api-error.ts";
import type { Services } from "../../live/services.ts";

export const UNDO_MS = 5_000;
/** Requests under way at once; the connection of all tabs takes 256. */
const AT_ONCE = 50;

export class Cancels {
  /** Runs that will be canceled unless the person undoes it. Each entry is a click of a person. */
  readonly pending = signal<ReadonlySet<string>>(new Set());
  /** While many runs are canceled: how many of how many are answered. */
  readonly progress = signal<{ readonly done: number; readonly of: number } | null>(null);
  readonly error = signal<Problem | null>(null);
  readonly #live: Services["live"];
  readonly #onAsked: (runIds: readonly string[]) => void;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  /** @param onAsked called when the server has received the cancels */
  constructor({ live }: Services, onAsked: (runIds: readonly string[]) => void) {
    this.#live = live;
    this.#onAsked = onAsked;
  }

  stop(): void {
    for (const runId of this.#timers.keys()) this.#cancelOne(runId);
  }

  soon(runId: string): void {
    if (this.#timers.has(runId)) return;
    this.#timers.set(
      runId,
      setTimeout(() => this.#cancelOne(runId), UNDO_MS),
    );
    this.#tell();
  }

  undo(runId: string): void {
    clearTimeout(this.#timers.get(runId));
    this.#timers.delete(runId);
    this.#tell();
  }

  /** Cancels all at once. Resolves when each request was answered; `error` holds the first refusal. */
  async now(runIds: readonly string[]): Promise<void> {
    this.error.value = null;
    for (let done = 0; done < runIds.length; done += AT_ONCE) {
      if (runIds.length > AT_ONCE) this.progress.value = { done, of: runIds.length };
      const some = runIds.slice(done, done + AT_ONCE);
      const answers = await Promise.allSettled(some.map((runId) => this.#live.call({ op: "cancel", run_id: runId })));
      const refused = answers.find((answer) => answer.status === "rejected");
      if (refused) this.error.value ??= problemOf(refused.reason);
      this.#onAsked(some);
    }
    this.progress.value = null;
  }

  #cancelOne(runId: string): void {
    this.undo(runId);
    void this.now([runId]);
  }

  #tell(): void {
    this.pending.value = new Set(this.#timers.keys());
  }
}
