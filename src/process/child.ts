/**
 * One child process as the supervisor sees it: whether it became ready, when it last gave a sign of
 * life, and how to end it. Owns its listeners and its kill timer until the process is gone.
 */
import type { ChildProcess } from "node:child_process";
import type { FromChild, Gauges, ToChild, Vitals } from "./protocol.ts";

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said before it died, if anything. */
  readonly detail: string | undefined;
  /** Whether it ever was ready. */
  readonly served: boolean;
}

export const NO_VITALS: Vitals = { rss_bytes: 0, cpu_percent: 0, lag_ms: { p50: 0, p99: 0 }, in_flight: 0 };

export class Child {
  readonly pid: number;
  readonly startedAt = performance.now();
  /** Resolves with the port it listens on, if any; rejects when it exits before it is ready. */
  readonly ready: Promise<number | undefined>;
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;
  #detail: string | undefined;
  #vitals = NO_VITALS;
  #gauges: Gauges = {};
  #served = false;
  #lastSignAt = performance.now();
  #state: "starting" | "ready" | "draining" | "gone" = "starting";
  #killTimer: NodeJS.Timeout | undefined;

  constructor(process: ChildProcess) {
    this.#process = process;
    this.pid = process.pid ?? 0;
    const ready = Promise.withResolvers<number | undefined>();
    const exited = Promise.withResolvers<ChildExit>();
    this.ready = ready.promise;
    this.exited = exited.promise;
    // Whoever needs readiness awaits it; nobody has to.
    this.ready.catch(() => {});
    process.on("message", (message: FromChild) => this.#hear(message, ready.resolve));
    const gone = (code: number | null, signal: NodeJS.Signals | null) => {
      this.#state = "gone";
      clearTimeout(this.#killTimer);
      ready.reject(new Error(this.#detail ?? `it exited with ${signal ?? `code ${code}`} before it was ready`));
      exited.resolve({ code, signal, detail: this.#detail, served: this.#served });
    };
    process.on("exit", gone);
    // Spawning itself failed (no memory, no process slots): there will be no exit event.
    process.on("error", (error) => {
      this.#detail ??= error.message;
      if (this.pid === 0) gone(null, null);
    });
  }

  get state() {
    return this.#state;
  }

  /** What its last heartbeat said; zeros before the first one and once it is gone. */
  get vitals(): Vitals {
    return this.#state === "gone" ? NO_VITALS : this.#vitals;
  }

  /** As the vitals. */
  get gauges(): Gauges {
    return this.#state === "gone" ? {} : this.#gauges;
  }

  /** How long it has been silent. */
  silentMs(): number {
    return performance.now() - this.#lastSignAt;
  }

  /** Starts the silence anew, for when it was us who could not listen. */
  forgiveSilence(): void {
    this.#lastSignAt = performance.now();
  }

  send(message: ToChild): void {
    // The callback takes the error of a channel that closed meanwhile; its exit event says the rest.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  /** Asks it to finish and exit, and kills it after `graceMs`. Idempotent. */
  drain(graceMs: number): Promise<ChildExit> {
    if (this.#state === "starting") this.kill();
    if (this.#state === "ready") {
      this.#state = "draining";
      this.send({ type: "drain" });
      this.#killTimer = setTimeout(() => this.kill(), graceMs);
    }
    return this.exited;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #hear(message: FromChild, onReady: (port: number | undefined) => void): void {
    this.#lastSignAt = performance.now();
    if (message.type === "heartbeat") {
      this.#vitals = message.vitals;
      this.#gauges = message.gauges;
    }
    if (message.type === "failed") this.#detail = message.detail;
    if (message.type === "ready") {
      this.#served = true;
      if (this.#state === "starting") this.#state = "ready";
      onReady(message.port);
    }
  }
}
