/**
 * A subscription to the activities of the server, as lists use it: it says when to load (also the first time) and when
 * to start over, and keeps the error that ended it, so that the page can show it. `start` and `stop` are idempotent.
 */
import { signal } from "@preact/signals";
import type { Activity } from "../../core/activity.ts";
import type { Problem } from "./api-error.ts";
import type { Live } from "./services.ts";

export interface ActivityListener {
  readonly onActivity: (activity: Activity) => void;
  /**
   * Activities up to now may be missing, so load them. Called at first, after a gap, after an error, and after a
   * restart.
   */
  readonly onMissed: () => void;
  /** The server was started anew: its earlier activities no longer exist. `onMissed` follows. */
  readonly onRestarted?: () => void;
}

/**
 * Loads once after this time even without a confirmed subscription, so that a page without WebSocket shows something.
 */
const FIRST_LOOK_MS = 250;

export class ActivityWatch {
  /** Set while no events can come. */
  readonly error = signal<Problem | null>(null);
  readonly #live: Live;
  readonly #listener: ActivityListener;
  #unsubscribe: (() => void) | undefined;
  #firstLook: ReturnType<typeof setTimeout> | undefined;

  constructor(live: Live, listener: ActivityListener) {
    this.#live = live;
    this.#listener = listener;
  }

  start(): void {
    this.error.value = null;
    if (this.#unsubscribe) return;
    this.#firstLook = setTimeout(() => this.#listener.onMissed(), FIRST_LOOK_MS);
    this.#unsubscribe = this.#live.subscribe(
      { channel: "activities" },
      {
        onEvent: (event) => this.#onEvent(event as Partial<Activity>),
        onReady: () => {
          clearTimeout(this.#firstLook);
          this.error.value = null;
          this.#listener.onMissed();
        },
        onRestarted: () => this.#listener.onRestarted?.(),
        onError: (error) => (this.error.value = error),
      },
    );
  }

  stop(): void {
    clearTimeout(this.#firstLook);
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  #onEvent(event: Partial<Activity>): void {
    // The notice of a gap has no position of its own.
    if (event.seq === undefined) this.#listener.onMissed();
    else this.#listener.onActivity(event as Activity);
  }
}
