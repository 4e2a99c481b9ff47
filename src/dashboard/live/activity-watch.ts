/**
 * A subscription to what happens on the server, as lists use it: it says when to load, the first time too, and when
 * to begin anew, and keeps what it broke off with, to be shown. `start` and `stop` are idempotent.
 */
import { signal } from "@preact/signals";
import type { Activity } from "../../core/activity.ts";
import type { Problem } from "./api-error.ts";
import type { Live } from "./services.ts";

export interface ActivityListener {
  readonly onActivity: (activity: Activity) => void;
  /** What happened until now may not be told: load it. At first, after a gap, after an error, after a restart. */
  readonly onMissed: () => void;
  /** The server has begun anew: what it told before is not there any more. `onMissed` follows. */
  readonly onRestarted?: () => void;
}

/** Loads once after this time even if the subscription does not stand yet: a page without WebSocket shows something. */
const FIRST_LOOK_MS = 250;

export class ActivityWatch {
  /** Set while nothing comes. */
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
