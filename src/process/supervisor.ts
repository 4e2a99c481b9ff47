/**
 * The process tree: starts every slot, replaces what dies or hangs, rolls out new code, grows and shrinks
 * with the load, and has its state sent to the workers. Owned by the primary. Knows processes, not runs.
 */
import { MAX_PROCESSES } from "../core/limits.ts";
import { Bulletin } from "./bulletin.ts";
import { NO_VITALS } from "./no-vitals.ts";
import { reasonOf, type Child } from "./child.ts";
import { MemoryCeiling } from "./memory-ceiling.ts";
import {
  HEARTBEAT_MS,
  SCALE,
  type ChildKind,
  type Gauges,
  type OwnProcess,
  type ServiceRequest,
  type Vitals,
} from "./protocol.ts";
import { Rollout } from "./rollout.ts";
import type { Change } from "./scale.ts";
import { readScaleRequest } from "./scale-request.ts";
import { Size } from "./size.ts";
import { Slot } from "./slot.ts";
import type { Death } from "./slot-options.ts";
import type { Place, RoleOptions, SupervisorOptions } from "./supervisor-options.ts";
import { VitalsMeter } from "./vitals.ts";

// With the backoff, four tries take about two seconds plus their boots.
const MAX_BOOT_FAILURES = 4;

interface Role {
  readonly options: RoleOptions;
  readonly size: Size | undefined;
  readonly memory: MemoryCeiling | undefined;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #meter = new VitalsMeter();
  readonly #startedAt = performance.now();
  readonly #roles = new Map<ChildKind, Role>();
  readonly #slots: Slot[] = [];
  readonly #bulletin: Bulletin;
  readonly #rollout: Rollout;
  /** Slots that the last tick found stalled. */
  readonly #stalled = new Set<Slot>();
  readonly #ticker: NodeJS.Timeout;
  #tickedAt = performance.now();
  #self: Vitals & { readonly gauges: Gauges } = { ...NO_VITALS, gauges: {} };
  #isLeaving = false;
  #isDraining = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#bulletin = new Bulletin({
      machine: options.machine,
      others: options.others,
      processes: () => [this.#info(), ...this.#slots.map((slot) => slot.info())],
      notes: () =>
        this.#slots.flatMap(({ kind, id, child }) => (child?.notes ? [{ kind, id, notes: child.notes }] : [])),
      advice: () => [...this.#roles.values()].flatMap(({ size }) => size?.advice ?? []),
      workers: () => this.#of("worker").flatMap(({ child }) => (child?.state === "ready" ? [child] : [])),
    });
    this.#rollout = new Rollout({
      slotsOf: (kind) => this.#of(kind),
      leaveMs: options.leaveMs,
      isOver: () => this.#isDraining,
      onReplaced: (detail) => this.#bulletin.mark({ type: "reload", process: null, detail }),
    });
    this.#ticker = setInterval(() => this.#tick(), HEARTBEAT_MS);
  }

  /**
   * Forks `count` children of a kind and waits until each is ready. Resolves with their ports; never, once the server
   * drains.
   */
  async start(options: RoleOptions): Promise<(number | undefined)[]> {
    const { kind, count, size } = options;
    // A drain may begin between two kinds. It waits only for the children that there are then.
    if (this.#isDraining) return new Promise(() => {});
    this.#roles.set(kind, { options, size: size && new Size({ kind, ...size }), memory: this.#ceilingOf(options) });
    const slots = Array.from({ length: count }, (_, index) => this.#makeSlot(options, index + 1, MAX_BOOT_FAILURES));
    this.#slots.push(...slots);
    const ports = await Promise.all(slots.map((slot) => slot.start()));
    this.#bulletin.share();
    return ports;
  }

  /** See `Rollout`. */
  replace(kinds: readonly ChildKind[]): Promise<boolean> {
    return this.#rollout.replace(kinds);
  }

  /** What the other machines are told of this one. */
  report(): string {
    return this.#bulletin.report();
  }

  /** One more or one less of a kind, because a person said so. From then on the load changes nothing. */
  adjust(kind: ChildKind, by: 1 | -1): void {
    this.#setCount(kind, this.#of(kind).length + by);
  }

  #setCount(kind: ChildKind, wanted: number): void {
    const role = this.#roles.get(kind);
    const count = Math.min(MAX_PROCESSES, Math.max(1, wanted));
    role?.size?.hold(count);
    if (role) this.#resize(role, { count, reason: "by hand" });
  }

  /** Shows everybody who asks that this server is about to drain. All processes go on as before. */
  announceDrain(): void {
    this.#isLeaving = true;
    this.#bulletin.share();
  }

  /** Phase by phase: the kinds that serve users first, then those that they need. Ends the supervisor. */
  async drain(phases: readonly (readonly ChildKind[])[]): Promise<void> {
    this.announceDrain();
    this.#isDraining = true;
    for (const slot of this.#slots) slot.retire();
    for (const kinds of phases) {
      const slots = this.#slots.filter(({ kind }) => kinds.includes(kind));
      await Promise.all(slots.map((slot) => slot.drain(this.#options.drainMs)));
      // A child that was to replace another was killed. It must be gone before the next phase.
      await this.#rollout.ended;
    }
    this.stop();
  }

  /** Ends the supervisor's own timers. */
  stop(): void {
    clearInterval(this.#ticker);
    this.#bulletin.stop();
    this.#meter.stop();
  }

  /** All children at once, and nothing is restarted. */
  kill(): void {
    for (const slot of this.#slots) slot.kill();
  }

  #ceilingOf({ kind, memoryBytes: bytes }: RoleOptions): MemoryCeiling | undefined {
    if (bytes === undefined) return undefined;
    const { leaveMs, onHeavy } = this.#options;
    return new MemoryCeiling({ bytes, leaveMs: leaveMs(kind), onHeavy: (heavy) => onHeavy({ kind, ...heavy }) });
  }

  #makeSlot({ kind, fork }: RoleOptions, id: number, maxBootFailures?: number): Slot {
    const { stallMs, onReturn, onSlow, onHopeless } = this.#options;
    return new Slot({
      kind,
      id,
      stallMs,
      maxBootFailures,
      fork: () => this.#connect(kind, fork(id)),
      onDeath: (_slot, death) => this.#onDeath({ kind, id, ...death }),
      onReturn: (_slot, pid) => onReturn({ kind, id, pid }),
      onSlow: (_slot, slow) => onSlow({ kind, id, ...slow }),
      onChange: () => this.#bulletin.shareSoon(),
      onHopeless: (_slot, reason) => onHopeless(`${kind} ${id} does not start: ${reason}`),
    });
  }

  #resize({ options, size }: Role, { count: wanted, reason }: Change): void {
    const { kind } = options;
    const slots = this.#of(kind);
    // Slots that still leave have a place, too. The next look at the load wants again what finds no room now.
    const room = MAX_PROCESSES - this.#slots.filter((slot) => slot.kind === kind).length;
    const count = Math.min(wanted, slots.length + room);
    if (this.#isDraining || count === slots.length) return;
    for (let more = slots.length; more < count; more += 1) {
      // The tree already serves. A process that does not become ready is therefore tried again for ever, and
      // does not end the tree.
      const slot = this.#makeSlot(options, this.#freeId(kind));
      this.#slots.push(slot);
      void slot.start();
    }
    for (const slot of servingFirst(slots).slice(count)) void this.#leave(slot);
    size?.changed();
    const detail = `${slots.length} → ${count} ${kind}s: ${reason}`;
    this.#bulletin.mark({ type: "scale", process: null, detail });
    this.#options.onResize({ kind, from: slots.length, count, reason });
  }

  /** The place is free only when the slot has finished its work. */
  async #leave(slot: Slot): Promise<void> {
    await slot.leave(this.#options.shrinkMs);
    this.#slots.splice(this.#slots.indexOf(slot), 1);
    this.#stalled.delete(slot);
    this.#bulletin.shareSoon();
  }

  #freeId(kind: ChildKind): number {
    const taken = new Set(this.#slots.filter((slot) => slot.kind === kind).map(({ id }) => id));
    let id = 1;
    while (taken.has(id)) id += 1;
    return id;
  }

  /**
   * A worker answers for all processes and for their past. Only workers may ask: whatever runs in an agent, a tool
   * included, can write into its channel.
   */
  #connect(kind: ChildKind, child: Child): Child {
    if (kind !== "worker") return child;
    child.onRequest = (request) => this.#passOn(request);
    child.ready.then(
      () => this.#bulletin.greet(child),
      () => {},
    );
    return child;
  }

  #passOn(request: ServiceRequest): void {
    const { to, name, about } = request;
    if (to !== "primary") {
      for (const slot of this.#of(to)) slot.child?.send({ type: "request", request });
      return;
    }
    const asked = name === SCALE ? readScaleRequest(about) : undefined;
    // The next look at the load brings the kind back to where its settings want it.
    if (asked?.count === "default") this.#roles.get(asked.kind)?.size?.hold(undefined);
    else if (asked) this.#setCount(asked.kind, asked.count);
  }

  #onDeath(death: Death & Place): void {
    const { kind, id, exit, verdict } = death;
    this.#bulletin.mark({ type: "death", process: `${kind} ${id}`, detail: `${verdict} (${reasonOf(exit)})` });
    this.#options.onDeath(death);
  }

  #tick(): void {
    const now = performance.now();
    // If the primary itself slept (a suspended machine, SIGSTOP), it could hear no child, so their silence
    // proves nothing.
    const sinceTickMs = now - this.#tickedAt;
    const weSlept = sinceTickMs > 2 * HEARTBEAT_MS;
    this.#tickedAt = now;
    for (const slot of this.#slots) {
      if (weSlept) slot.forgiveSleep(sinceTickMs);
      else slot.checkPulse();
      this.#markStall(slot);
    }
    for (const role of this.#roles.values()) {
      this.#followLoad(role);
      role.memory?.tick(this.#of(role.options.kind));
    }
    // Read the vitals only once a second: they cover the time since the last reading.
    this.#self = { ...this.#meter.read(0), gauges: this.#options.gauges() };
    this.#bulletin.share();
  }

  #followLoad(role: Role): void {
    const slots = this.#of(role.options.kind);
    const serving = slots.flatMap(({ child }) => (child?.state === "ready" ? [child.vitals] : []));
    const change = role.size?.tick(serving, slots.length);
    if (change) this.#resize(role, change);
  }

  #markStall(slot: Slot): void {
    const isStalled = slot.info().state === "stalled";
    if (isStalled && !this.#stalled.has(slot)) {
      const detail = "its event loop is blocked, or it was stopped";
      this.#bulletin.mark({ type: "stall", process: `${slot.kind} ${slot.id}`, detail });
    }
    if (isStalled) this.#stalled.add(slot);
    else this.#stalled.delete(slot);
  }

  #info(): OwnProcess {
    return {
      kind: "primary",
      id: 1,
      pid: process.pid,
      state: this.#isLeaving ? "draining" : "ready",
      uptime_s: Math.round((performance.now() - this.#startedAt) / 1000),
      ...this.#self,
      restarts: 0,
      last_exit: null,
      leaving: 0,
    };
  }

  /** The slots of a kind that are to serve, by id. */
  #of(kind: ChildKind): Slot[] {
    return this.#slots.filter((slot) => slot.kind === kind && !slot.isRetired).toSorted((a, b) => a.id - b.id);
  }
}

/** Of too many processes, those that do not serve leave first: one that boots again and again must not stay in their stead. */
function servingFirst(slots: readonly Slot[]): Slot[] {
  return [...slots.filter(serves), ...slots.filter((slot) => !serves(slot))];
}

function serves(slot: Slot): boolean {
  return slot.info().state === "ready";
}
