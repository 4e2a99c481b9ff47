/**
 * Decides when to look for new commits. While commits come, it looks every few milliseconds. Once none come, it sleeps
 * until the kernel reports a write to the WAL file. [Polling alone: 1.3 % of a core for every idle process.] Owned by
 * `followers.ts`.
 */
import { watch, type FSWatcher } from "node:fs";

// After this long without news commits are rare, so that being woken is cheaper than looking.
const QUIET_MS = 20;
// The WAL file is written a moment before its commit can be seen: with DURABILITY=full a disk flush comes in between.
const COMMIT_MS = 100;
// How often to look while asleep: file events are a hint, not a promise (network file systems have none).
const ASLEEP_MS = 250;
const BLIND_MS = 10;
const TROUBLE_MS = 500;

/** What a look found. more: there is more to read; trouble: the storage failed, so leave it alone for a while. */
export type LookResult = "changed" | "quiet" | "more" | "trouble";

export interface PulseOptions {
  readonly look: () => LookResult;
  /** How often to look while commits come. */
  readonly pollMs: () => number;
}

export class Pulse {
  readonly #walPath: string;
  readonly #options: PulseOptions;
  #timer: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #awakeUntil = 0;

  constructor(walPath: string, options: PulseOptions) {
    this.#walPath = walPath;
    this.#options = options;
  }

  /** Idempotent. Starts awake, because a caller that starts it expects something soon. */
  start(): void {
    if (this.#watcher) this.stop();
    this.#stayAwake(QUIET_MS);
    this.#timer ??= setTimeout(() => this.#beat(), this.#options.pollMs());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#unwatch();
  }

  #beat(): void {
    const result = this.#options.look();
    // `look()` runs the followers' callbacks, and one of them may have called `stop()`.
    if (!this.#timer) return;
    if (result === "changed" || result === "more") this.#stayAwake(QUIET_MS);
    if (performance.now() < this.#awakeUntil) this.#awake(result);
    else if (result === "trouble") this.#next(TROUBLE_MS);
    else this.#asleep();
  }

  #awake(result: LookResult): void {
    this.#unwatch();
    this.#next(result === "more" ? 0 : this.#options.pollMs());
  }

  #asleep(): void {
    if (this.#watcher) return this.#next(ASLEEP_MS);
    try {
      this.#watcher = watch(this.#walPath, () => {
        this.#stayAwake(COMMIT_MS);
        this.#beat();
      });
      this.#watcher.on("error", () => {
        this.#unwatch();
        this.#next(BLIND_MS);
      });
      // A commit between the last look and this moment made no file event: look once more before relying on events.
      this.#next(0);
    } catch {
      this.#next(BLIND_MS);
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #stayAwake(ms: number): void {
    this.#awakeUntil = Math.max(this.#awakeUntil, performance.now() + ms);
  }

  #next(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#beat(), ms);
  }
}
