/**
 * Messages on their way to a bus: they are gathered, and one group at a time is under way. What cannot be sent is
 * dropped, because readers look at the tables. Used by `notify.ts` and `redis.ts`.
 */
import { atMost } from "../../core/at-most.ts";
import type { BusMessage } from "./bus.ts";

/** Messages sent at once. */
const MAX_GROUP = 500;
/** Bound of what waits while a bus hangs, in characters. Beyond it messages are dropped. */
const MAX_WAITING_CHARACTERS = 32 * 1024 * 1024;

export interface OutboxOptions {
  /** Messages are gathered for this long; after a pause they are sent at once. */
  readonly spacingMs: number;
  /** A group whose sending fails is dropped. */
  readonly send: (group: readonly BusMessage[]) => Promise<unknown>;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: BusMessage[] = [];
  #waitingCharacters = 0;
  #sending: Promise<void> | undefined;
  #lastAt = -Infinity;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  add(messages: readonly BusMessage[]): void {
    const characters = charactersOf(messages);
    if (this.#waitingCharacters + characters > MAX_WAITING_CHARACTERS) return;
    this.#waitingCharacters += characters;
    this.#waiting.push(...messages);
    this.#sending ??= this.#send();
  }

  /** Resolves when nothing waits any more, or when the time is over; then the rest is dropped. */
  async close(mostMs: number): Promise<void> {
    await atMost(mostMs, this.#sending);
    this.#waiting = [];
  }

  async #send(): Promise<void> {
    const { spacingMs, send } = this.#options;
    while (this.#waiting.length > 0) {
      await pause(this.#lastAt + spacingMs - performance.now());
      const group = this.#waiting.splice(0, MAX_GROUP);
      this.#waitingCharacters -= charactersOf(group);
      this.#lastAt = performance.now();
      await send(group).catch(() => {});
    }
    this.#sending = undefined;
  }
}

function charactersOf(messages: readonly BusMessage[]): number {
  return messages.reduce((sum, { payload }) => sum + payload.length, 0);
}

async function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (ms > 0) setTimeout(resolve, ms);
  else setImmediate(resolve);
  await promise;
}
