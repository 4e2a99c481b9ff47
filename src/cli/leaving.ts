/**
 * When a command has to end before its work is done: by Ctrl-C, because its terminal or its parent wants it to, or
 * because nobody reads its output any more (`| head`). The command frees what it holds and ends; whoever asks a second
 * time does not wait for that. Used by commands that hold something: a run, a server of their own.
 */
import { constants } from "node:os";

/** One Ctrl-C may arrive twice: from the terminal, and forwarded by npm. */
const SAME_PRESS_MS = 200;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class Leaving {
  readonly #abort = new AbortController();
  readonly #listeners = SIGNALS.map((signal) => ({ signal, hear: () => this.#hear(signal) }));
  #cancel: (() => void) | undefined;
  #interruptedAt = -Infinity;

  constructor() {
    for (const { signal, hear } of this.#listeners) process.on(signal, hear);
    process.stdout.on("error", this.#onUnread);
  }

  /** Aborts when the command has to end. `process.exitCode` is set by then. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The first Ctrl-C during `work` calls `cancel`, and only the next one ends the command. */
  async during<T>(cancel: () => void, work: () => Promise<T>): Promise<T> {
    this.#cancel = cancel;
    try {
      return await work();
    } finally {
      this.#cancel = undefined;
    }
  }

  /** Ctrl-C, also one that a terminal in raw mode tells in another way. */
  readonly interrupt = (): void => this.#hear("SIGINT");

  [Symbol.dispose](): void {
    for (const { signal, hear } of this.#listeners) process.off(signal, hear);
    process.stdout.off("error", this.#onUnread);
  }

  #hear(signal: (typeof SIGNALS)[number]): void {
    const isAgain = performance.now() - this.#interruptedAt < SAME_PRESS_MS;
    if (signal === "SIGINT" && isAgain) return;
    this.#interruptedAt = performance.now();
    const cancel = this.#cancel;
    this.#cancel = undefined;
    if (signal === "SIGINT" && cancel) return cancel();
    // The shell's codes for a program that a signal ended.
    this.#leave(128 + constants.signals[signal]);
  }

  readonly #onUnread = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE") throw error;
    this.#leave(0);
  };

  #leave(code: number): void {
    if (this.signal.aborted) process.exit(code);
    process.exitCode = code;
    this.#abort.abort(new Error("the command was ended"));
  }
}

/** For commands that hold nothing: they end at once when nobody reads their output any more. */
export function endWhenUnread(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
}
