/**
 * One child process as the supervisor sees it: whether it became ready, when it last gave a sign of
 * life, and how to end it. Owns its listeners and its kill timer until the process is gone.
 */
import type { ChildProcess } from "node:child_process";
import { TimeLimit } from "../core/time-limit.ts";
import type { Channel } from "./channel.ts";
import { readFromChild } from "./from-child.ts";
import { NO_VITALS } from "./no-vitals.ts";
import type { ChildState, Gauges, Notes, ServiceRequest, ToChild, Vitals } from "./protocol.ts";

/** Two missed heartbeats. The dashboard shows this long before the process is killed for it. */
const SHOWN_AS_STALLED_MS = 2_500;

/** A child whose channel is gone exits by itself within this time. */
const EXIT_MS = 1_000;
/** A child bounds its own drain. It is killed when it takes this much longer. */
const DRAIN_SLACK_MS = 3_000;

/** Of Node's ChildProcess. When its fork failed, it has neither pid nor streams, and an `error` event follows. */
export type ForkedProcess = NodeJS.EventEmitter &
  Pick<ChildProcess, "kill"> &
  Partial<Pick<ChildProcess, "pid" | "stdio">>;

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why the child was killed; otherwise the reason that the child gave before it died, if any. */
  readonly detail: string | undefined;
  /** Whether it ever was ready. */
  readonly served: boolean;
}

export class Child {
  readonly pid: number;
  readonly startedAt = performance.now();
  /** Resolves with the port it listens on, if any; rejects when it exits before it is ready. */
  readonly ready: Promise<number | undefined>;
  readonly exited: Promise<ChildExit>;
  readonly #process: ForkedProcess;
  readonly #channel: Channel;
  readonly #ready = Promise.withResolvers<number | undefined>();
  readonly #exited = Promise.withResolvers<ChildExit>();
  /** The reason that the child gave; the last one counts. */
  #said: string | undefined;
  /** Why the primary killed it; the first reason counts. */
  #killedFor: string | undefined;
  #vitals = NO_VITALS;
  #gauges: Gauges = {};
  #notes: Notes | undefined;
  #served = false;
  #lastSignAt = performance.now();
  #state: "starting" | "ready" | "draining" | "gone" = "starting";
  #killTimer: TimeLimit | undefined;
  #drainEndsAt = Infinity;
  #mayLinger = true;

  constructor(process: ForkedProcess, channel: Channel) {
    this.#process = process;
    this.#channel = channel;
    this.pid = process.pid ?? 0;
    this.ready = this.#ready.promise;
    this.exited = this.#exited.promise;
    // Nobody has to await `ready`.
    this.ready.catch(() => {});
    channel.listen({
      onMessage: (message) => this.#hear(message),
      onClose: (flood) => this.#onChannelClosed(flood),
    });
    process.on("exit", (code, signal) => this.#onExit(code, signal));
    process.on("error", (error) => {
      this.#said ??= error.message;
      // The fork itself failed (no memory, no process slots): no `exit` follows.
      if (this.pid === 0) this.#onExit(null, null);
    });
  }

  get state() {
    return this.#state;
  }

  /** What its last heartbeat said; zeros before the first one and once it is gone. */
  get vitals(): Vitals {
    return this.#state === "gone" ? NO_VITALS : this.#vitals;
  }

  /** The newest gauges, like `vitals`. */
  get gauges(): Gauges {
    return this.#state === "gone" ? {} : this.#gauges;
  }

  /**
   * The newest notes of the child, a new object each time. Undefined before the first notes, and after the child is
   * gone.
   */
  get notes(): Notes | undefined {
    return this.#state === "gone" ? undefined : this.#notes;
  }

  /** Called with each request that this child makes of others. */
  onRequest: (request: ServiceRequest) => void = () => {};

  /** How long it has been silent. */
  silentMs(): number {
    return performance.now() - this.#lastSignAt;
  }

  /** The primary itself could not listen for `ms`: silence is measured anew, and who is to exit has that time on top. */
  forgiveSleep(ms: number): void {
    this.#lastSignAt = performance.now();
    this.#killTimer?.extend(ms);
  }

  send(message: ToChild): void {
    void this.#channel.send(message);
  }

  /**
   * Asks it to finish within `withinMs` and exit; kills it when it does not. A child that is not ready has nothing to
   * finish and is killed at once. A later call can only shorten the time.
   *
   * @param othersServe another child serves in its place: it may wait for clients that are slow to leave
   */
  drain(withinMs: number, { othersServe = false } = {}): Promise<ChildExit> {
    if (this.#state === "starting") this.kill();
    const leftMs = Math.min(withinMs, Math.max(0, this.#drainEndsAt - performance.now()));
    const isSooner = leftMs === withinMs || (this.#mayLinger && !othersServe);
    if (this.#state === "ready" || (this.#state === "draining" && isSooner)) {
      this.#state = "draining";
      this.#drainEndsAt = performance.now() + leftMs;
      this.#mayLinger &&= othersServe;
      this.send({ type: "drain", within_ms: leftMs, others_serve: this.#mayLinger });
      this.#killIn(leftMs + DRAIN_SLACK_MS, `did not drain within ${leftMs} ms, killed`);
    }
    return this.exited;
  }

  /** SIGKILL. @param reason what `exited` gives as its detail; without one the detail is what the child said */
  kill(reason?: string): void {
    if (this.#state === "gone") return;
    this.#killedFor ??= reason;
    this.#process.kill("SIGKILL");
  }

  #hear(message: unknown): void {
    this.#lastSignAt = performance.now();
    const checked = readFromChild(message);
    switch (checked?.type) {
      case undefined:
        break;
      case "heartbeat":
        this.#vitals = checked.vitals;
        this.#gauges = checked.gauges;
        break;
      case "notes":
        this.#notes = checked.notes;
        break;
      case "request":
        this.onRequest(checked.request);
        break;
      case "failed":
        this.#said = checked.detail;
        break;
      case "ready":
        // A second `ready` changes nothing, because the state and the promise are settled.
        this.#served = true;
        if (this.#state === "starting") this.#state = "ready";
        this.#ready.resolve(checked.port);
        break;
    }
  }

  #onChannelClosed(flood: string | undefined): void {
    if (flood !== undefined) this.kill(`${flood}, killed`);
    else this.#killIn(EXIT_MS, "closed its channel and went on, killed");
  }

  /** Of two times the earlier one counts. */
  #killIn(ms: number, reason: string): void {
    const isLater = this.#killTimer !== undefined && performance.now() + ms >= this.#killTimer.endsAt;
    if (this.#state === "gone" || isLater) return;
    this.#killTimer?.stop();
    this.#killTimer = new TimeLimit(ms, () => this.kill(reason));
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#killTimer?.stop();
    this.#channel.close();
    const detail = this.#killedFor ?? this.#said;
    this.#ready.reject(new Error(detail ?? `it exited with ${signal ?? `code ${code}`} before it was ready`));
    this.#exited.resolve({ code, signal, detail, served: this.#served });
  }
}

/** As `GET /api/workers` shows it. */
export function shownState(child: Child): ChildState {
  if (child.state === "gone") return "restarting";
  return child.state === "ready" && child.silentMs() > SHOWN_AS_STALLED_MS ? "stalled" : child.state;
}

/** Why a child is gone, in a few words. */
export function reasonOf({ code, signal, detail }: ChildExit): string {
  return detail ?? signal ?? `exited with code ${code}`;
}
