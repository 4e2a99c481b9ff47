/**
 * Plays the steps of one response into its socket at the pace asked for, and lets go of everything once it closes.
 * One per response, made by messages.ts. Holds at most the socket's own buffer: a client that does not read stops it.
 * It never decides the content; the steps do.
 */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Pacer, Sleeper } from "./pacer.ts";
import { type Ending, type Steps, TOKEN } from "./steps.ts";

export interface Pace {
  /** Time from the request to the first token. */
  readonly ttftMs: number;
  /** 0: as fast as the socket takes them. */
  readonly tokensPerSecond: number;
}

export interface Stage {
  readonly response: ServerResponse;
  readonly steps: Steps;
  readonly headers: OutgoingHttpHeaders;
  readonly pacer: Pacer;
  readonly pace: Pace;
  /** Write the body one byte at a time. */
  readonly drip: boolean;
  /** Called once for each event that is written. */
  readonly onEvent: () => void;
}

export class Playback implements Sleeper {
  readonly #stage: Stage;
  // The time at which the answer would have begun if it had never paused.
  #startedMs: number;
  #tokens = 0;
  #ending: Ending | undefined;
  #closed = false;
  #immediate: NodeJS.Immediate | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#startedMs = stage.pacer.now();
  }

  /** How the response ended, once it is closed. */
  ended(): Exclude<Ending, "stall"> | "aborted" {
    const { writableFinished } = this.#stage.response;
    if (this.#ending === "reset") return "reset";
    return writableFinished && this.#ending && this.#ending !== "stall" ? this.#ending : "aborted";
  }

  start(): void {
    this.#stage.response.writeHead(200, this.#stage.headers);
    this.wake(this.#startedMs);
  }

  /** Writes until the next token is not due yet, the socket is full or the script is over. */
  wake(nowMs: number): void {
    while (!this.#closed) {
      const step = this.#stage.steps.next();
      if (step.done) return this.#end(step.value);
      if (step.value === TOKEN) {
        const dueMs = this.#nextDueMs();
        if (dueMs > nowMs) return this.#stage.pacer.sleep(this, dueMs);
      } else if (typeof step.value === "object") {
        const { pauseMs } = step.value;
        this.#startedMs += pauseMs;
        return this.#stage.pacer.sleep(this, nowMs + pauseMs);
      } else if (!this.#write(step.value)) return;
    }
  }

  /** The response is closed: its timers must not run any more. */
  stop(): void {
    this.#closed = true;
    this.#stage.pacer.cancel(this);
    clearImmediate(this.#immediate);
  }

  #nextDueMs(): number {
    const { ttftMs, tokensPerSecond } = this.#stage.pace;
    const behindFirst = this.#tokens++;
    return this.#startedMs + ttftMs + (tokensPerSecond > 0 ? (behindFirst * 1000) / tokensPerSecond : 0);
  }

  /** False when something else will wake this playback: drain, or the last byte of a drip. */
  #write(text: string): boolean {
    this.#stage.onEvent();
    if (this.#stage.drip) {
      this.#drip(Buffer.from(text), 0);
      return false;
    }
    if (this.#stage.response.write(text)) return true;
    // write() false means the socket buffer is full: no further step until drain; a close ends in stop().
    this.#stage.response.once("drain", () => this.wake(this.#stage.pacer.now()));
    return false;
  }

  // Let the event loop turn between two bytes, because all writes of one turn leave in one packet.
  #drip(bytes: Buffer, at: number): void {
    if (this.#closed) return;
    if (at === bytes.length) return this.wake(this.#stage.pacer.now());
    const next = (): void => this.#drip(bytes, at + 1);
    if (this.#stage.response.write(bytes.subarray(at, at + 1))) this.#immediate = setImmediate(next);
    else this.#stage.response.once("drain", next);
  }

  #end(ending: Ending): void {
    this.#ending = ending;
    if (ending === "stall") return;
    const { response } = this.#stage;
    if (ending !== "reset") response.end();
    // Reset one turn later, so that the bytes before the reset have reached the kernel.
    else this.#immediate = setImmediate(() => response.socket?.resetAndDestroy());
  }
}
