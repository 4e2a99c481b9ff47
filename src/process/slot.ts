/**
 * One place in the process tree, e.g. "worker 2": keeps exactly one serving child in it, restarts it with
 * backoff when it dies, and swaps it for a new one without a gap. Owned by the supervisor.
 */
import { backoffMs } from "../core/backoff.ts";
import type { Child, ChildExit } from "./child.ts";
import { EXIT, type ChildKind, type ChildState, type ProcessInfo } from "./protocol.ts";

const BACKOFF = { firstMs: 100, maxMs: 30_000 };
// A child that served this long was healthy: the next failure starts the backoff anew.
const HEALTHY_MS = 30_000;
const BOOT_MS = 30_000;

export interface SlotEvents {
  /** A child is gone without having been asked to, or before it had drained. */
  onDeath(slot: Slot, pid: number, exit: ChildExit): void;
  /** It never became ready and a restart will not help, or was tried too often. */
  onHopeless(slot: Slot, reason: string): void;
}

/** A child that is ready and waits to take its slot. */
export interface Prepared {
  /** It serves from now on. Resolves when the old one is gone. */
  readonly commit: (graceMs: number) => Promise<void>;
  readonly abandon: () => void;
}

export interface SlotOptions extends SlotEvents {
  readonly kind: ChildKind;
  readonly id: number;
  readonly stallMs: number;
  /** Failures in a row, before it ever was ready, after which it is given up. */
  readonly maxBootFailures: number;
  fork(): Child;
}

export class Slot {
  readonly kind: ChildKind;
  readonly id: number;
  readonly #options: SlotOptions;
  #child: Child | undefined;
  #restartTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  #everReady = false;
  readonly #firstReady = Promise.withResolvers<number | undefined>();
  #stopping = false;
  #stalled = false;
  #restarts = 0;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.kind = options.kind;
    this.id = options.id;
  }

  /** Forks the first child. Resolves with its port once one is ready; until then the slot tries again, or is hopeless. */
  start(): Promise<number | undefined> {
    this.#fork();
    return this.#firstReady.promise;
  }

  /** A new child first, then the old one drains. Rejects, with the old one still serving, when the new one fails. */
  async prepare(): Promise<Prepared> {
    const next = this.#options.fork();
    const bootTimer = setTimeout(() => next.kill(), BOOT_MS);
    await next.ready.finally(() => clearTimeout(bootTimer));
    return {
      commit: (graceMs) => {
        const old = this.#child;
        clearTimeout(this.#restartTimer);
        this.#child = next;
        this.#failures = 0;
        this.#watch(next);
        return this.#seeOff(old, graceMs);
      },
      abandon: () => next.kill(),
    };
  }

  /** A child that was replaced may still die on its way out; then somebody has to take over what it held. */
  async #seeOff(old: Child | undefined, graceMs: number): Promise<void> {
    if (!old || old.state === "gone") return;
    const exit = await old.drain(graceMs);
    if (exit.code !== EXIT.drained) this.#options.onDeath(this, old.pid, exit);
  }

  /** Called every second: kills a child that gave no sign of life. */
  checkPulse(): void {
    const child = this.#child;
    if (child?.state === "starting" && child.silentMs() > BOOT_MS) child.kill();
    if (child?.state !== "ready" || child.silentMs() < this.#options.stallMs) return;
    this.#stalled = true;
    child.kill();
  }

  forgiveSilence(): void {
    this.#child?.forgiveSilence();
  }

  /** From here on nothing is restarted. */
  retire(): void {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
  }

  async drain(graceMs: number): Promise<void> {
    await this.#child?.drain(graceMs);
  }

  kill(): void {
    this.retire();
    this.#child?.kill();
  }

  get child(): Child | undefined {
    return this.#child;
  }

  info(): ProcessInfo {
    const child = this.#child;
    const alive = child !== undefined && child.state !== "gone";
    return {
      kind: this.kind,
      id: this.id,
      pid: alive ? child.pid : null,
      state: this.#state(),
      uptime_s: alive ? Math.round((performance.now() - child.startedAt) / 1000) : 0,
      ...(child?.vitals ?? { rss_bytes: 0, cpu_percent: 0, lag_ms: { p50: 0, p99: 0 }, in_flight: 0 }),
      restarts: this.#restarts,
    };
  }

  #state(): ChildState {
    const child = this.#child;
    if (!child || child.state === "gone") return "restarting";
    // Two heartbeats missed: worth showing long before it is worth killing.
    return child.state === "ready" && child.silentMs() > 2_500 ? "stalled" : child.state;
  }

  #watch(child: Child): void {
    child.ready.then(
      (port) => {
        this.#everReady = true;
        this.#firstReady.resolve(port);
      },
      () => {},
    );
    void child.exited.then((exit) => this.#onExit(child, exit));
  }

  #onExit(child: Child, exit: ChildExit): void {
    // Replaced meanwhile, or asked to go: nothing to mend.
    if (child !== this.#child || this.#stopping) return;
    const detail = this.#stalled ? `silent for ${this.#options.stallMs} ms, killed` : exit.detail;
    this.#stalled = false;
    this.#options.onDeath(this, child.pid, { ...exit, detail });
    if (performance.now() - child.startedAt > HEALTHY_MS) this.#failures = 0;
    this.#failures += 1;
    const reason = detail ?? `exited with ${exit.signal ?? `code ${exit.code}`}`;
    const tooOften = !this.#everReady && this.#failures >= this.#options.maxBootFailures;
    if (exit.code === EXIT.config || tooOften) return this.#options.onHopeless(this, reason);
    this.#restartTimer = setTimeout(
      () => {
        this.#restarts += 1;
        this.#fork();
      },
      backoffMs(this.#failures, BACKOFF),
    );
  }

  #fork(): void {
    const child = this.#options.fork();
    this.#child = child;
    this.#watch(child);
  }
}
