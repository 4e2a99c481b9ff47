/**
 * A page's side of the live connection: its subscriptions and calls, whichever hub serves them. The client can hand all
 * of them to another hub at any time, because it knows the newest seq of each. It also measures the silence itself, so
 * that old numbers never look current, even when the hub is dead.
 */
import { signal, type ReadonlySignal } from "@preact/signals";
import { backoffMs } from "../../core/backoff.ts";
import { newId } from "../../core/id.ts";
import { ApiError, type Problem } from "./api-error.ts";
import { startOf } from "./hub.ts";
import type { CallOp, ChannelRequest, FromHub, ToHub } from "./messages.ts";
import { openOwn, openTransport, type Transport } from "./transport.ts";

export interface Listener {
  onEvent(event: unknown, seq: number | undefined): void;
  /**
   * The subscription is confirmed. It may never deliver earlier events, so load what happened until now. Called once at
   * first, and again after a restart or an error; not after a lost connection, which loses nothing.
   */
  onReady?(): void;
  /** The server was started anew, with other data: forget its events. `onReady` follows. */
  onRestarted?(): void;
  onDone?(): void;
  /**
   * The subscription broke off. After an error of `PASSING` the client subscribes again by itself, and `onReady`
   * follows later.
   */
  onError(error: Problem): void;
}

export interface Connection {
  readonly state: "connecting" | "live" | "lost";
  /** Epoch ms of the newest sign of life of the server. */
  readonly lastSeenAt: number | null;
}

interface Subscription {
  readonly request: ChannelRequest;
  readonly listener: Listener;
  seq: number | undefined;
  /** True after `onReady`, until a restart or an error comes. */
  isReady: boolean;
  /** Number of errors since the last event. */
  failures: number;
  retry: ReturnType<typeof setTimeout> | undefined;
}

interface Call {
  readonly op: CallOp;
  readonly resolve: (body: Record<string, unknown>) => void;
  readonly reject: (error: ApiError) => void;
}

/** Codes of errors that the request did not cause: the server has a problem, or too many tabs are open. */
const PASSING: ReadonlySet<string> = new Set(["STORAGE_UNAVAILABLE", "INTERNAL", "OVERLOADED"]);
const ASK_AGAIN = { firstMs: 1_000, maxMs: 30_000 };

const BEAT_MS = 1_000;
const ALIVE_STEP_MS = 500;
/** The processes send something each second. After this time without anything, the page may show old data. */
const LOST_AFTER_MS = 4_000;
/** The hub answers each beat at once. A worker that misses this many beats is dead or was never loaded. */
const UNANSWERED_BEATS = 4;

export class LiveClient {
  // Both maps grow with what the page shows; the hub bounds them.
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #calls = new Map<number, Call>();
  readonly #connection = signal<Connection>({ state: "connecting", lastSeenAt: null });
  readonly #mark: () => string | null;
  #transport: Transport | undefined;
  #beat: ReturnType<typeof setInterval> | undefined;
  #unanswered = 0;
  /**
   * When the newest sign of life came, or the wait for it began; monotonic, so that setting the clock does not look
   * like silence.
   */
  #heardAt = 0;
  #lastKey = 0;

  constructor(mark: () => string | null) {
    this.#mark = mark;
  }

  get connection(): ReadonlySignal<Connection> {
    return this.#connection;
  }

  subscribe(request: ChannelRequest, listener: Listener): () => void {
    const key = this.#nextKey();
    const subscription = { request, listener, seq: request.after, isReady: false, failures: 0, retry: undefined };
    this.#subscriptions.set(key, subscription);
    this.#post({ type: "subscribe", key, request });
    return () => this.#unsubscribe(key);
  }

  /**
   * The call stays pending while the connection is lost, and is sent again when the connection is back. @throws
   * ApiError
   */
  call(op: CallOp): Promise<Record<string, unknown>> {
    // The run id makes a repetition harmless: however often the call is sent, it makes one run.
    const repeatable = op.op === "chat" ? { ...op, run_id: op.run_id ?? newId("run") } : op;
    const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
    const key = this.#nextKey();
    this.#calls.set(key, { op: repeatable, resolve, reject });
    this.#post({ type: "call", key, op: repeatable });
    return promise;
  }

  /** The page leaves, or goes to sleep in the back/forward cache: its subscriptions must not live on. */
  suspend(): void {
    this.#leave();
    clearInterval(this.#beat);
    for (const { retry } of this.#subscriptions.values()) clearTimeout(retry);
  }

  /** After suspend(), and after another key was typed in. */
  resume(): void {
    if (this.#transport) this.#attach();
    else if (this.#subscriptions.size + this.#calls.size > 0) this.#use(this.#open());
  }

  #unsubscribe(key: number): void {
    clearTimeout(this.#subscriptions.get(key)?.retry);
    if (this.#subscriptions.delete(key)) this.#transport?.post({ type: "unsubscribe", key });
  }

  #post(message: ToHub): void {
    // Opening attaches, and attaching posts everything that is registered, including the subject of this message.
    if (this.#transport) this.#transport.post(message);
    else this.#use(this.#open());
  }

  #open(): Transport {
    return openTransport({
      onMessage: (message) => this.#receive(message),
      onFailed: () => this.#useOwn(),
    });
  }

  #use(transport: Transport): void {
    this.#transport = transport;
    this.#unanswered = 0;
    if (this.#connection.value.lastSeenAt === null) this.#heardAt = performance.now();
    clearInterval(this.#beat);
    this.#beat = setInterval(() => this.#onBeat(), BEAT_MS);
    this.#attach();
  }

  #useOwn(): void {
    if (this.#transport?.kind === "own") return;
    this.#leave();
    this.#use(openOwn({ onMessage: (message) => this.#receive(message) }));
  }

  #leave(): void {
    // A hub that is slow and not dead would go on serving this page beside the next hub.
    this.#transport?.post({ type: "bye" });
    this.#transport?.close();
    this.#transport = undefined;
  }

  #attach(): void {
    this.#transport?.post({ type: "attach", mark: this.#mark() });
    for (const key of this.#subscriptions.keys()) this.#ask(key);
    for (const [key, { op }] of this.#calls) this.#transport?.post({ type: "call", key, op });
  }

  #ask(key: number): void {
    const subscription = this.#subscriptions.get(key);
    if (!subscription) return;
    clearTimeout(subscription.retry);
    const { request, seq } = subscription;
    this.#transport?.post({ type: "subscribe", key, request, ...(seq !== undefined && { seq }) });
  }

  #onBeat(): void {
    const { lastSeenAt, state } = this.#connection.value;
    const silentMs = performance.now() - this.#heardAt;
    if (silentMs > LOST_AFTER_MS && state !== "lost") this.#connection.value = { state: "lost", lastSeenAt };
    this.#unanswered += 1;
    if (this.#unanswered > UNANSWERED_BEATS) this.#useOwn();
    else this.#transport?.post({ type: "alive" });
  }

  #receive(message: FromHub): void {
    this.#unanswered = 0;
    if (message.type === "alive") return;
    if (message.type === "gone") return this.#attach();
    if (!("local" in message)) this.#alive();
    if (message.type === "open") return;
    if (message.type === "reply" || message.type === "refused") this.#settle(message);
    else this.#deliver(message);
  }

  /**
   * Do not change the signal at each frame: a fast stream has many, and each change draws the connection state again.
   */
  #alive(): void {
    const now = performance.now();
    if (this.#connection.value.state === "live" && now - this.#heardAt < ALIVE_STEP_MS) return;
    this.#heardAt = now;
    this.#connection.value = { state: "live", lastSeenAt: Date.now() };
  }

  #settle(message: Extract<FromHub, { type: "reply" | "refused" }>): void {
    const call = this.#calls.get(message.key);
    this.#calls.delete(message.key);
    if (message.type === "reply") call?.resolve(message.body);
    else call?.reject(new ApiError({ ...message.error, status: 0 }));
  }

  #deliver(message: Extract<FromHub, { type: "ready" | "restarted" | "event" | "done" | "error" }>): void {
    const subscription = this.#subscriptions.get(message.key);
    if (!subscription) return;
    const { listener } = subscription;
    if (message.type === "event") return deliverEvent(subscription, message);
    if (message.type === "ready") return becomeReady(subscription, message.seq);
    if (message.type === "error") return this.#onError(message.key, subscription, message.error);
    if (message.type === "restarted") {
      subscription.seq = startOf(subscription.request);
      subscription.isReady = false;
      return listener.onRestarted?.();
    }
    this.#subscriptions.delete(message.key);
    listener.onDone?.();
  }

  #onError(key: number, subscription: Subscription, error: Problem): void {
    if (PASSING.has(error.code)) {
      subscription.isReady = false;
      subscription.failures += 1;
      subscription.retry = setTimeout(() => this.#ask(key), backoffMs(subscription.failures, ASK_AGAIN));
    } else this.#subscriptions.delete(key);
    subscription.listener.onError(error);
  }

  #nextKey(): number {
    this.#lastKey += 1;
    return this.#lastKey;
  }
}

function becomeReady(subscription: Subscription, seq: number): void {
  subscription.seq ??= seq;
  if (subscription.isReady) return;
  subscription.isReady = true;
  subscription.listener.onReady?.();
}

function deliverEvent(subscription: Subscription, { event, seq }: Extract<FromHub, { type: "event" }>): void {
  // Events that the last hub had sent when this page changed to the next hub arrive twice.
  if (seq !== undefined && subscription.seq !== undefined && seq <= subscription.seq) return;
  subscription.seq = seq ?? subscription.seq;
  subscription.failures = 0;
  subscription.listener.onEvent(event, seq);
}
