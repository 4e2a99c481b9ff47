/**
 * One place in the process tree, e.g. "worker 2": keeps exactly one serving child in it, replaces it when it dies,
 * and swaps it for a new one without a gap. Owned by the supervisor.
 *
 *   state     event                                     next state        reported
 *   new       start()                                   booting
 *   booting   the child is ready                        serving           onReturn, if a child died before
 *   booting   no `ready` for SLOW_MS                    (same)            onSlow
 *   booting   no `ready` for BOOT_MS                    (same)            the child is killed: its exit follows
 *   booting   the child exits                           waiting           onDeath
 *   booting   the child exits, and no hope is left      retired           onDeath, onHopeless
 *   serving   the child exits, however                  booting, at once  onDeath
 *   serving   the child is silent for stallMs           (same)            the child is killed: its exit follows
 *   waiting   the backoff is over                       booting
 *   any       a prepared child is committed             serving           onReturn, if a child died before
 *   any       retire()                                  retired
 *
 * No hope is left when the place never had a ready child and either the child says that no restart can help, or it
 * failed `maxBootFailures` times in a row. A place that once served is never given up, nor is one that was added later.
 */
import { backoffMs } from "../core/backoff.ts";
import { BootTimers } from "./boot-timers.ts";
import { NO_VITALS } from "./no-vitals.ts";
import { reasonOf, shownState, type Child, type ChildExit } from "./child.ts";
import { EXIT, type ChildKind, type OwnProcess } from "./protocol.ts";
import type { Death, Prepared, SlotOptions } from "./slot-options.ts";

const BACKOFF = { firstMs: 100, maxMs: 30_000 };
/** The bound for a place that once had a ready child: it can boot, so its children were most likely killed. */
const PROVEN_BACKOFF = { firstMs: 100, maxMs: 2_000 };
/**
 * Maximum number of children of one place that finish their work while a newer child serves. Above it, the
 * oldest child gives its work back.
 */
const MAX_LEAVING = 3;

interface Leaving {
  readonly old: Child | undefined;
  readonly withinMs: number;
  readonly verdict: Death["verdict"];
}

/** What a boot must know of the boots before it. */
interface Past {
  /** Boots that failed in a row. */
  readonly failures: number;
  /** Whether a child of this place ever became ready. */
  readonly everReady: boolean;
}

type State =
  | { readonly is: "new" }
  | { readonly is: "booting"; readonly child: Child; readonly past: Past; readonly boot: BootTimers }
  | { readonly is: "serving"; readonly child: Child }
  | { readonly is: "waiting"; readonly timer: NodeJS.Timeout; readonly past: Past }
  | { readonly is: "retired"; readonly child: Child | undefined };

export class Slot {
  readonly kind: ChildKind;
  readonly id: number;
  readonly #options: SlotOptions;
  readonly #firstReady = Promise.withResolvers<number | undefined>();
  #state: State = { is: "new" };
  // Children that were replaced and still finish their work, oldest first. At most MAX_LEAVING.
  readonly #leaving: Child[] = [];
  // Children that boot to take the place of the serving one.
  readonly #preparing = new Map<Child, BootTimers>();
  #restarts = 0;
  #lastExit: OwnProcess["last_exit"] = null;

  constructor(options: SlotOptions) {
    this.#options = options;
    this.kind = options.kind;
    this.id = options.id;
  }

  /** Forks the first child. Resolves with its port once one is ready; until then the slot tries again, or is hopeless. */
  start(): Promise<number | undefined> {
    this.#boot({ failures: 0, everReady: false });
    return this.#firstReady.promise;
  }

  /** A new child first, then the old one drains. Rejects, with the old one still serving, when the new one fails. */
  async prepare(): Promise<Prepared> {
    const next = this.#options.fork();
    const boot = new BootTimers(next, (slow) => this.#options.onSlow(this, slow));
    this.#preparing.set(next, boot);
    await next.ready.finally(() => {
      boot.stop();
      this.#preparing.delete(next);
    });
    return {
      commit: async (withinMs) => {
        if (this.isRetired) {
          next.kill();
          return;
        }
        const old = this.child;
        this.#serve(next);
        this.#watchExit(next);
        await this.#drainOld({ old, withinMs, verdict: "died on its way out; its successor serves" });
      },
      kill: () => next.kill(),
    };
  }

  /** Called every second: kills a serving or leaving child that gave no sign of life. */
  checkPulse(): void {
    const { stallMs } = this.#options;
    const served = this.#state.is === "serving" ? [this.#state.child, ...this.#leaving] : this.#leaving;
    for (const child of served) {
      if (child.silentMs() >= stallMs) child.kill(`silent for ${stallMs} ms, killed`);
    }
  }

  /** Called when the primary itself stood still for `ms`: nobody's time runs out for that. */
  forgiveSleep(ms: number): void {
    for (const child of this.#children()) child.forgiveSleep(ms);
    const boots = this.#state.is === "booting" ? [this.#state.boot] : [];
    for (const boot of [...boots, ...this.#preparing.values()]) boot.extend(ms);
  }

  /** From here on nothing is restarted, and nobody waits for a child that still boots to replace another. Idempotent. */
  retire(): void {
    for (const next of this.#preparing.keys()) next.kill();
    if (this.#state.is !== "retired") this.#become({ is: "retired", child: this.child });
  }

  get isRetired(): boolean {
    return this.#state.is === "retired";
  }

  /** This place is one too many: nothing is restarted, and the child finishes its work. Resolves when it is gone. */
  leave(withinMs: number): Promise<void> {
    const old = this.child;
    this.retire();
    return this.#drainOld({ old, withinMs, verdict: "died on its way out" });
  }

  /**
   * Resolves when the child and all leaving children are gone; no leaving child gets more time than it has.
   */
  async drain(withinMs: number): Promise<void> {
    this.retire();
    await Promise.all(this.#children().map((child) => child.drain(withinMs)));
  }

  kill(): void {
    this.retire();
    for (const child of this.#children()) child.kill();
  }

  get child(): Child | undefined {
    return "child" in this.#state ? this.#state.child : undefined;
  }

  info(): OwnProcess {
    const { child } = this;
    const isAlive = child !== undefined && child.state !== "gone";
    return {
      kind: this.kind,
      id: this.id,
      pid: isAlive ? child.pid : null,
      state: isAlive ? shownState(child) : "restarting",
      uptime_s: isAlive ? Math.round((performance.now() - child.startedAt) / 1000) : 0,
      ...(child?.vitals ?? NO_VITALS),
      restarts: this.#restarts,
      gauges: child?.gauges ?? {},
      last_exit: this.#lastExit,
      leaving: this.#leaving.filter((leaving) => leaving !== child).length,
    };
  }

  #children(): Child[] {
    return this.child ? [this.child, ...this.#leaving] : [...this.#leaving];
  }

  #boot(past: Past): void {
    const child = this.#options.fork();
    const boot = new BootTimers(child, (slow) => this.#options.onSlow(this, slow));
    this.#become({ is: "booting", child, past, boot });
    child.ready.then(
      (port) => {
        this.#firstReady.resolve(port);
        // A committed child may have taken the place meanwhile.
        if (this.#state.is === "booting" && this.#state.child === child) this.#serve(child);
      },
      // `exited` reports the same failure, with the reason.
      () => {},
    );
    this.#watchExit(child);
  }

  #serve(child: Child): void {
    const past = "past" in this.#state ? this.#state.past : undefined;
    this.#become({ is: "serving", child });
    if (past && (past.everReady || past.failures > 0)) this.#options.onReturn(this, child.pid);
  }

  #watchExit(child: Child): void {
    void child.exited.then((exit) => {
      if (this.child !== child) return;
      if (this.#state.is === "serving") this.#onServingExit(child, exit);
      else if (this.#state.is === "booting") this.#onBootExit({ child, exit, past: this.#state.past });
    });
  }

  #onServingExit(child: Child, exit: ChildExit): void {
    this.#noteExit(exit);
    this.#options.onDeath(this, { pid: child.pid, exit, verdict: "died; it is replaced" });
    this.#restarts += 1;
    this.#boot({ failures: 0, everReady: true });
  }

  #onBootExit({ child, exit, past }: { child: Child; exit: ChildExit; past: Past }): void {
    const failures = past.failures + 1;
    const { maxBootFailures } = this.#options;
    const mayGiveUp = maxBootFailures !== undefined && !past.everReady;
    const isHopeless = mayGiveUp && (exit.code === EXIT.config || failures >= maxBootFailures);
    this.#noteExit(exit);
    const death = { pid: child.pid, exit };
    if (isHopeless) {
      this.#become({ is: "retired", child });
      this.#options.onDeath(this, { ...death, verdict: "did not start; it is given up" });
      this.#options.onHopeless(this, reasonOf(exit));
      return;
    }
    const next = { ...past, failures };
    const bootAgain = () => {
      this.#restarts += 1;
      this.#boot(next);
    };
    const waitMs = backoffMs(failures, past.everReady ? PROVEN_BACKOFF : BACKOFF);
    this.#become({ is: "waiting", timer: setTimeout(bootAgain, waitMs), past: next });
    this.#options.onDeath(this, { ...death, verdict: "did not start; it is tried again" });
  }

  /** A child may die while it drains; then another process has to take over its work. */
  async #drainOld({ old, withinMs, verdict }: Leaving): Promise<void> {
    if (!old || old.state === "gone") return;
    this.#leaving.push(old);
    const tooMany = this.#leaving.length - MAX_LEAVING;
    for (const oldest of this.#leaving.slice(0, Math.max(0, tooMany))) void oldest.drain(0, { othersServe: true });
    const exit = await old.drain(withinMs, { othersServe: true });
    this.#leaving.splice(this.#leaving.indexOf(old), 1);
    this.#options.onChange();
    if (exit.code === EXIT.drained || !exit.served) return;
    this.#noteExit(exit);
    this.#options.onDeath(this, { pid: old.pid, exit, verdict });
  }

  #noteExit(exit: ChildExit): void {
    this.#lastExit = { at: Date.now(), reason: reasonOf(exit) };
    this.#options.onChange();
  }

  /** The only place where the state changes. Frees what the old state owned. */
  #become(next: State): void {
    const old = this.#state;
    if (old.is === "booting") old.boot.stop();
    if (old.is === "waiting") clearTimeout(old.timer);
    this.#state = next;
    this.#options.onChange();
  }
}
