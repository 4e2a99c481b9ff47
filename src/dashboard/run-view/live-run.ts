/**
 * A run as it happens: its journal from the first event on, with at most one notice of changes a frame. The live
 * connection resumes by itself; `start` and `stop` are idempotent, and `start` after `stop` goes on.
 */
import { signal } from "@preact/signals";
import type { Problem } from "../live/api-error.ts";
import type { Live } from "../live/services.ts";
import { OncePerFrame } from "../ui/next-frame.ts";
import { RunView } from "./run-view.ts";
import { Waterfall } from "./waterfall.ts";
import { readEvent } from "./wire-event.ts";

export class LiveRun {
  readonly runId: string;
  /** Grows at most once a frame; a component that reads it is rendered again. */
  readonly revision = signal(0);
  /** Set while no events of the run can come. */
  readonly error = signal<Problem | null>(null);
  readonly #live: Live;
  readonly #onEnd: () => void;
  readonly #frame = new OncePerFrame(() => (this.revision.value += 1));
  #unsubscribe: (() => void) | undefined;
  #view = new RunView();
  #waterfall = new Waterfall();

  /** @param onEnd called when the run is over, and when it cannot be followed */
  constructor(live: Live, runId: string, onEnd: () => void = () => {}) {
    this.#live = live;
    this.runId = runId;
    this.#onEnd = onEnd;
  }

  /**
   * Becomes a new object when the server was started with other data and the run's id is used again, so do not keep it.
   */
  get view(): RunView {
    return this.#view;
  }

  get waterfall(): Waterfall {
    return this.#waterfall;
  }

  start(): void {
    if (this.#unsubscribe || this.view.end) return;
    this.error.value = null;
    this.#unsubscribe = this.#live.subscribe(
      { channel: "run", run_id: this.runId, after: this.view.lastSeq },
      {
        onEvent: (event) => this.#apply(event),
        onReady: () => (this.error.value = null),
        onRestarted: () => this.#begin(),
        onError: (error) => {
          this.error.value = error;
          this.#onEnd();
        },
      },
    );
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#frame.stop();
  }

  retry(): void {
    this.stop();
    this.start();
  }

  #begin(): void {
    this.#view = new RunView();
    this.#waterfall = new Waterfall();
    this.#frame.request();
  }

  #apply(value: unknown): void {
    const event = readEvent(value);
    if (!event) return;
    const wasOver = this.view.end !== null;
    this.view.apply(event);
    this.waterfall.apply(event);
    this.#frame.request();
    if (!wasOver && this.view.end) this.#onEnd();
  }
}
