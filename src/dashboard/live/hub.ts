/**
 * Owns the only connection and shares it among tabs: numbers their requests, remembers the newest seq of each
 * subscription, and after a lost connection asks again from there. The same class runs in the SharedWorker, for all
 * tabs, and in a page that has no SharedWorker, for itself alone.
 */
import { MAX_FRAME_BYTES, MAX_SUBSCRIPTIONS } from "../../core/limits.ts";
import type { Problem } from "./api-error.ts";
import { Link, LINK_TIMES, type LinkTimes } from "./link.ts";
import type { CallOp, ChannelRequest, FromHub, ToHub } from "./messages.ts";

/** Part of MAX_SUBSCRIPTIONS is kept for the processes, which every tab watches: without them a tab would show as lost. */
const ROOM_FOR_PROCESSES = 32;
const MAX_CALLS = 256;
/** Browsers run the timers of hidden tabs only once a minute; a tab that is silent for longer is frozen or gone. */
const TAB_SILENT_MS = 150_000;
const SWEEP_MS = 30_000;
/**
 * A larger difference means a server that was started anew and counts from 1; two workers of one server differ by a
 * snapshot or two.
 */
const RESTARTED_BELOW = 10;

/** The worker process leaves, but the run or the subscription continues: ask the next worker. */
const LEAVING = "SHUTTING_DOWN";

interface Subscription {
  readonly tab: Tab;
  readonly key: number;
  readonly request: ChannelRequest;
  /** The newest seq that the tab has. Undefined: the tab has none, and asked for live events only. */
  seq: number | undefined;
}

interface Call {
  readonly tab: Tab;
  readonly key: number;
  readonly op: CallOp;
}

/** One page, behind its port. */
interface Tab {
  readonly send: (message: FromHub) => void;
  aliveAt: number;
}

export interface HubOptions {
  readonly open: () => WebSocket;
  readonly times?: LinkTimes;
}

export class Hub {
  readonly #link: Link;
  readonly #tabs = new Set<Tab>();
  /** By id on the wire. Bounds: MAX_SUBSCRIPTIONS and MAX_CALLS; requests above them are refused. */
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #calls = new Map<string, Call>();
  #mark: string | null = null;
  #lastId = 0;
  #sweep: ReturnType<typeof setInterval> | undefined;

  constructor({ open, times = LINK_TIMES }: HubOptions) {
    this.#link = new Link({
      open,
      times,
      onOpen: () => this.#resume(),
      onFrame: (frame) => this.#onFrame(frame),
      ticks: () => [...this.#subscriptions.values()].some(({ request }) => request.channel === "processes"),
    });
  }

  /** @returns what takes the tab's messages */
  connect(send: (message: FromHub) => void): (message: ToHub) => void {
    const tab: Tab = { send, aliveAt: performance.now() };
    return (message) => this.#receive(tab, message);
  }

  stop(): void {
    for (const tab of this.#tabs) this.#leave(tab);
  }

  #receive(tab: Tab, message: ToHub): void {
    tab.aliveAt = performance.now();
    if (message.type === "attach") return this.#attach(tab, message.mark);
    if (message.type === "bye") return this.#leave(tab);
    if (!this.#tabs.has(tab)) return tab.send({ type: "gone" });
    if (message.type === "alive") return tab.send({ type: "alive" });
    if (message.type === "subscribe") return this.#subscribe(tab, message);
    if (message.type === "unsubscribe") return this.#unsubscribe(tab, message.key);
    this.#call(tab, message.key, message.op);
  }

  #attach(tab: Tab, mark: string | null): void {
    this.#forget(tab);
    this.#tabs.add(tab);
    tab.send({ type: "alive" });
    this.#sweep ??= setInterval(() => this.#dropSilentTabs(), SWEEP_MS);
    const other = mark !== this.#mark;
    this.#mark = mark;
    if (other) this.#link.restart();
    this.#link.start();
  }

  #leave(tab: Tab): void {
    this.#forget(tab);
    this.#tabs.delete(tab);
    if (this.#tabs.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    this.#link.stop();
  }

  #forget(tab: Tab): void {
    for (const [id, subscription] of this.#subscriptions) if (subscription.tab === tab) this.#end(id);
    for (const [id, call] of this.#calls) if (call.tab === tab) this.#calls.delete(id);
  }

  #subscribe(tab: Tab, { key, request, seq = request.after }: Extract<ToHub, { type: "subscribe" }>): void {
    const most = request.channel === "processes" ? MAX_SUBSCRIPTIONS : MAX_SUBSCRIPTIONS - ROOM_FOR_PROCESSES;
    if (this.#subscriptions.size >= most) {
      const detail = `${this.#subscriptions.size} subscriptions are open already. Close other tabs of this page.`;
      return tab.send({ type: "error", key, error: { code: "OVERLOADED", detail }, local: true });
    }
    this.#open({ tab, key, request, seq });
  }

  #open(subscription: Subscription): void {
    const id = this.#nextId();
    this.#subscriptions.set(id, subscription);
    this.#ask(id, subscription);
  }

  #ask(id: string, { request, seq }: Subscription): void {
    this.#link.send({ ...request, op: "subscribe", id, ...(seq !== undefined && { after: seq }) });
  }

  #unsubscribe(tab: Tab, key: number): void {
    for (const [id, subscription] of this.#subscriptions) {
      if (subscription.tab === tab && subscription.key === key) this.#end(id);
    }
  }

  #end(id: string): void {
    this.#subscriptions.delete(id);
    this.#link.send({ op: "unsubscribe", id });
  }

  #call(tab: Tab, key: number, op: CallOp): void {
    if (this.#calls.size >= MAX_CALLS) {
      const detail = `${MAX_CALLS} requests wait for an answer already. Wait until the connection is back.`;
      return tab.send({ type: "refused", key, error: { code: "OVERLOADED", detail }, local: true });
    }
    const id = this.#nextId();
    const frame = { ...op, id };
    // [Otherwise the server closes with 1009, and the call is sent again on the next socket, without end.]
    const bytes = new TextEncoder().encode(JSON.stringify(frame)).length;
    if (bytes > MAX_FRAME_BYTES) return tab.send({ type: "refused", key, error: tooLarge(bytes), local: true });
    this.#calls.set(id, { tab, key, op });
    this.#link.send(frame);
  }

  /**
   * A new socket has none of the subscriptions and calls of the last one. Calls may be repeated: a chat has its run_id,
   * and a repeated cancel changes nothing.
   */
  #resume(): void {
    for (const tab of this.#tabs) tab.send({ type: "open" });
    for (const [id, subscription] of this.#subscriptions) this.#ask(id, subscription);
    for (const [id, { op }] of this.#calls) this.#link.send({ ...op, id });
  }

  #onFrame(frame: Record<string, unknown>): void {
    const id = String(frame["id"]);
    const error = frame["error"] as Problem | undefined;
    // The subscription or call stays in its map, and is sent again when the next socket opens.
    if (error?.code === LEAVING) return this.#link.retreat();
    const call = this.#calls.get(id);
    const subscription = this.#subscriptions.get(id);
    if (call) this.#answer(id, call, frame);
    if (subscription) this.#deliver(id, subscription, frame);
  }

  #answer(id: string, { tab, key }: Call, frame: Record<string, unknown>): void {
    this.#calls.delete(id);
    const error = frame["error"] as Problem | undefined;
    tab.send(error ? { type: "refused", key, error } : { type: "reply", key, body: frame });
  }

  #deliver(id: string, subscription: Subscription, frame: Record<string, unknown>): void {
    const { tab, key } = subscription;
    const seq = frame["seq"] as number | undefined;
    if (frame["event"] !== undefined) return deliverEvent(subscription, frame["event"], seq);
    if (frame["ok"] === true) return this.#onReady(id, subscription, seq ?? 0);
    this.#subscriptions.delete(id);
    if (frame["done"] === true) return tab.send({ type: "done", key });
    const error = frame["error"] as Problem;
    if (isAheadOfFeed(subscription, error)) this.#startAnew(subscription);
    else tab.send({ type: "error", key, error });
  }

  #onReady(id: string, subscription: Subscription, seq: number): void {
    const { tab, key } = subscription;
    if (subscription.seq !== undefined && seq < subscription.seq - RESTARTED_BELOW) {
      this.#end(id);
      return this.#startAnew(subscription);
    }
    // A subscription to live events only still wants the events that come while the connection is lost.
    subscription.seq ??= seq;
    tab.send({ type: "ready", key, seq });
  }

  /** The server's count began anew, so after the old position no event would come for a long time. */
  #startAnew({ tab, key, request }: Subscription): void {
    tab.send({ type: "restarted", key });
    this.#open({ tab, key, request, seq: startOf(request) });
  }

  #dropSilentTabs(): void {
    const now = performance.now();
    for (const tab of this.#tabs) if (now - tab.aliveAt > TAB_SILENT_MS) this.#leave(tab);
  }

  #nextId(): string {
    this.#lastId += 1;
    return String(this.#lastId);
  }
}

/**
 * Where to begin on a server that counts anew: a request without `after` asks for live events only, any other for
 * everything.
 */
export function startOf({ after }: ChannelRequest): number | undefined {
  return after === undefined ? undefined : 0;
}

/** With this answer the server says that its activities are not the ones that this hub has seen. */
function isAheadOfFeed({ request, seq }: Subscription, { code }: Problem): boolean {
  return code === "INVALID_REQUEST" && request.channel === "activities" && seq !== undefined;
}

function tooLarge(bytes: number): Problem {
  // Rounded up: "1.0 MiB, and 1 MiB is allowed" would contradict itself.
  const mebibytes = (Math.ceil((10 * bytes) / MAX_FRAME_BYTES) / 10).toFixed(1);
  const detail = `The message takes ${mebibytes} MiB, and 1 MiB is allowed. Send less of it.`;
  return { code: "BODY_TOO_LARGE", detail };
}

function deliverEvent(subscription: Subscription, event: unknown, seq: number | undefined): void {
  const { tab, key } = subscription;
  // The notice of a gap has no seq.
  if (seq === undefined) return tab.send({ type: "event", key, event });
  if (subscription.seq !== undefined && seq <= subscription.seq) return;
  subscription.seq = seq;
  tab.send({ type: "event", key, event, seq });
}
