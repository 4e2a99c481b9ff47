/**
 * One place in the process tree, e.g. "worker 2": keeps exactly one serving child in it, restarts it with
 * backoff when it dies, and swaps it for a new one without a gap. Owned by the supervisor.
 */
import { backoffMs } from "../core/backoff.ts";
import { NO_VITALS, type Child, type ChildExit } from "./child.ts";
import { EXIT, type ChildKind, type ChildState, type ProcessInfo } from "./protocol.ts";

const BACKOFF = { firstMs: 100, maxMs: 30_000 };
// A child that served this long was healthy: the next failure starts the backoff anew.
const HEALTHY_MS = 30_000;
const BOOT_MS = 30_000;

export interface Death {
  readonly pid: number;
  readonly exit: ChildExit;
  /** The end of a sentence that begins with the process's name: what happened, and what comes of it. */
  readonly verdict:
    | "died; it is replaced"
    | "died on its way out; its successor serves"
    | "did not start; it is tried again"
    | "did not start; it is given up";
}

export interface SlotEvents {
  /** A child is gone without having been asked to, or before it had drained. */
  onDeath(slot: Slot, death: Death): void;
  /** After a death, or a start that failed: the next one is ready. */
  onReturn(slot: Slot, pid: number): void;
  /** A child was forked, became ready or is gone: what `info()` says is another now. */
  onChange(): void;
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
  // Since a death, until the next one is ready.
  #isDown = false;
  /** Why we killed the child ourselves. */
  #killedFor: string | undefined;
  #restarts = 0;
  #lastExit: ProcessInfo["last_exit"] = null;

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
    if (exit.code === EXIT.drained) return;
    this.#noteExit(reasonOf(exit));
    this.#options.onDeath(this, { pid: old.pid, exit, verdict: "died on its way out; its successor serves" });
  }

  /** Called every second: kills a child that gave no sign of life. */
  checkPulse(): void {
    const child = this.#child;
    if (child?.state !== "starting" && child?.state !== "ready") return;
    const limitMs = child.state === "ready" ? this.#options.stallMs : BOOT_MS;
    if (child.silentMs() < limitMs) return;
    this.#killedFor = `silent for ${limitMs} ms, killed`;
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
      ...(child?.vitals ?? NO_VITALS),
      restarts: this.#restarts,
      gauges: child?.gauges ?? {},
      last_exit: this.#lastExit,
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
        if (this.#isDown) this.#options.onReturn(this, child.pid);
        this.#isDown = false;
        this.#options.onChange();
      },
      () => {},
    );
    void child.exited.then((exit) => this.#onExit(child, exit));
  }

  #onExit(child: Child, exit: ChildExit): void {
    // Replaced meanwhile, or asked to go: nothing to mend.
    if (child !== this.#child || this.#stopping) return;
    const detail = this.#killedFor ?? exit.detail;
    this.#killedFor = undefined;
    if (performance.now() - child.startedAt > HEALTHY_MS) this.#failures = 0;
    this.#failures += 1;
    const tooOften = !this.#everReady && this.#failures >= this.#options.maxBootFailures;
    const hopeless = exit.code === EXIT.config || tooOften;
    const reason = reasonOf({ ...exit, detail });
    this.#isDown = true;
    this.#noteExit(reason);
    this.#options.onDeath(this, { pid: child.pid, exit: { ...exit, detail }, verdict: verdictOn(exit, hopeless) });
    if (hopeless) return this.#options.onHopeless(this, reason);
    this.#restartTimer = setTimeout(
      () => {
        this.#restarts += 1;
        this.#fork();
      },
      backoffMs(this.#failures, BACKOFF),
    );
  }

  #noteExit(reason: string): void {
    this.#lastExit = { at: Date.now(), reason };
    this.#options.onChange();
  }

  #fork(): void {
    const child = this.#options.fork();
    this.#child = child;
    this.#watch(child);
    this.#options.onChange();
  }
}

function reasonOf({ code, signal, detail }: ChildExit): string {
  return detail ?? signal ?? `exited with code ${code}`;
}

function verdictOn({ served }: ChildExit, hopeless: boolean): Death["verdict"] {
  if (hopeless) return "did not start; it is given up";
  return served ? "died; it is replaced" : "did not start; it is tried again";
}
