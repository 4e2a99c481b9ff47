/**
 * Follows one run while somebody watches it, and tells its watchers at most once a frame, however many events come.
 * Called by the hooks; knows nothing of React.
 */
import type { ClientEvent, Evenkeel } from "../client/client.ts";
import { EMPTY_RUN, withEvent, type RunView } from "./run-view.ts";

const PAINT_MS = 16;

export interface WatchedRun extends RunView {
  /** The stream itself failed: the server cannot be reached, or refuses. */
  readonly failure?: Error;
}

export class RunStore {
  readonly #open: (signal: AbortSignal, after: number) => AsyncIterable<ClientEvent>;
  readonly #listeners = new Set<() => void>();
  #view: WatchedRun = EMPTY_RUN;
  #shown: WatchedRun = EMPTY_RUN;
  #frame: ReturnType<typeof setTimeout> | undefined;
  #stop: AbortController | undefined;

  /** @param open begins to read behind the event `after` */
  constructor(open: (signal: AbortSignal, after: number) => AsyncIterable<ClientEvent>) {
    this.#open = open;
  }

  static follow(client: Evenkeel, runId: string): RunStore {
    return new RunStore((signal, after) => client.follow(runId, { signal, after }));
  }

  readonly get = (): WatchedRun => this.#shown;

  /** Reads while there is a listener. @returns the end of the subscription */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) void this.#read();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.abort();
      this.#stop = undefined;
      clearTimeout(this.#frame);
      this.#frame = undefined;
    };
  };

  async #read(): Promise<void> {
    const isOver = !["queued", "running"].includes(this.#view.status);
    if (this.#stop || isOver) return;
    const stop = new AbortController();
    this.#stop = stop;
    const { failure: _, ...before } = this.#view;
    this.#view = before;
    try {
      for await (const event of this.#open(stop.signal, this.#view.seq)) {
        if (stop.signal.aborted) return;
        // Events of runs that this one delegated have a place of their own.
        if (!("subagentRunId" in event)) this.#view = withEvent(this.#view, event);
        this.#frame ??= setTimeout(() => this.#show(), PAINT_MS);
      }
    } catch (error) {
      if (stop.signal.aborted) return;
      this.#view = { ...this.#view, failure: asError(error) };
    }
    this.#show();
  }

  #show(): void {
    clearTimeout(this.#frame);
    this.#frame = undefined;
    this.#shown = this.#view;
    for (const listener of this.#listeners) listener();
  }
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
