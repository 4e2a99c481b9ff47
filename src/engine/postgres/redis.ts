/**
 * The bus over Redis: PUBLISH and SUBSCRIBE on one connection, which needs Redis 6 or newer. Redis keeps nothing of it.
 * Loaded by `open.ts` when REDIS_URL is set. A Redis that is away, hangs or refuses us costs time only: readers look at
 * the tables, and this class connects again by itself.
 */
import { Redis, ReplyError } from "ioredis";
import { atMost } from "../../core/at-most.ts";
import { backoffMs } from "../../core/backoff.ts";
import { newId } from "../../core/id.ts";
import type { Bus, BusListener, BusMessage } from "./bus.ts";
import { Outbox } from "./outbox.ts";

/** Larger than Postgres takes, so that more events come without a look at the table. */
const MAX_PAYLOAD_BYTES = 16_000;
/** A connection may be dead, or Redis hang, without an error. */
const CHECK_MS = 1_000;
/** A command without an answer for longer means that the connection is dead. */
const ANSWER_MS = 2_000;
const CONNECT_MS = 2_000;
const RECONNECT = { firstMs: 100, maxMs: 1_000 };
/** A reader does not wait longer for its channel: until Redis answers, the table has its news. */
const LISTEN_MS = 200;
/** A process that ends waits no longer than this until its last messages are sent. */
const LAST_WORDS_MS = 1_000;

const EFFECT = "until it does, processes look at the database, and events come up to a second late";

export interface RedisOptions extends BusListener {
  /** `redis://user:password@host:port`, or `rediss://` for TLS. */
  readonly url: string;
  /**
   * Tells the databases apart that share one Redis: each has runs of the same numbers. It is the first part of all
   * channels.
   */
  readonly space: string;
}

export class RedisBus implements Bus {
  readonly name = "redis";
  readonly maxPayloadBytes = MAX_PAYLOAD_BYTES;
  readonly #redis: Redis;
  readonly #options: RedisOptions;
  readonly #place: string;
  readonly #prefix: string;
  /** Only this connection listens to it. Redis answers PUBLISH with the number of listeners. */
  readonly #ownChannel = newId("check");
  /** Every new connection listens to all of these. */
  readonly #channels = new Set([this.#ownChannel]);
  /** By channel: fulfilled once Redis has confirmed it on this connection. */
  readonly #confirmed = new Map<string, Promise<unknown>>();
  // Not spaced: messages are gathered while the group before them is under way.
  readonly #outbox = new Outbox({ spacingMs: 0, send: (group) => this.#send(group) });
  readonly #checking: NodeJS.Timeout;
  /** Fulfilled once the first connection stands, or has failed. */
  readonly #firstTry = Promise.withResolvers<void>();
  #isTried = false;
  #trouble: string | undefined;
  /** When the operator was told of the trouble. */
  #toldAt: number | undefined;

  constructor(options: RedisOptions) {
    this.#options = options;
    this.#prefix = `evenkeel:${options.space}:`;
    const url = new URL(options.url);
    this.#place = url.host;
    this.#redis = new Redis(connectionOf(url));
    this.#redis.on("ready", () => this.#onReady());
    this.#redis.on("message", (channel: string, payload: string) => this.#hear(channel, payload));
    this.#redis.on("error", (error: Error) => (this.#trouble = error.message));
    this.#redis.on("close", () => this.#onClose());
    this.#checking = setInterval(() => void this.#check(), CHECK_MS);
  }

  get isConnected(): boolean {
    return this.#isReady && this.#trouble === undefined;
  }

  publish(messages: readonly BusMessage[]): void {
    // A command line may have news before its connection stands, and then ends.
    if (this.#isReady || !this.#isTried) this.#outbox.add(messages);
  }

  async listen(channel: string): Promise<void> {
    this.#channels.add(channel);
    // As soon as Redis is there, all channels are listened to, and then the tables are looked at.
    if (!this.#isReady) return;
    const confirmed = this.#confirmed.get(channel) ?? this.#subscribe([channel]);
    if (await atMost(LISTEN_MS, confirmed)) return;
    confirmed.then(
      () => this.#options.onLoss(),
      (error: unknown) => this.#fail(error),
    );
  }

  notice(): string | undefined {
    const isTold = this.#toldAt !== undefined;
    if (isTold === (this.#trouble !== undefined)) return undefined;
    // Exact, so that no two lines are the same: the log leaves out a line that repeats another one within a minute, and
    // the last word must be true.
    const seconds = ((performance.now() - (this.#toldAt ?? 0)) / 1_000).toFixed(3);
    this.#toldAt = isTold ? undefined : performance.now();
    return isTold
      ? `Redis at ${this.#place} carries the news again, after ${seconds} s.`
      : `Redis at ${this.#place} does not carry the news (${this.#trouble}); ${EFFECT}.`;
  }

  async close(): Promise<void> {
    clearInterval(this.#checking);
    await this.#outbox.close(LAST_WORDS_MS);
    this.#redis.removeAllListeners("message");
    this.#redis.disconnect();
  }

  /** Whether commands can be sent. Redis may still refuse them, or hang. */
  get #isReady(): boolean {
    return this.#redis.status === "ready";
  }

  async #send(group: readonly BusMessage[]): Promise<void> {
    await this.#firstTry.promise;
    if (!this.#isReady) return;
    const commands = group.map(({ channel, payload }) => ["publish", `${this.#prefix}${channel}`, payload]);
    // When Redis refuses them or is gone, `#check` finds it out.
    await this.#redis.pipeline(commands).exec();
  }

  #hear(channel: string, payload: string): void {
    const name = channel.slice(this.#prefix.length);
    if (name !== this.#ownChannel) this.#options.onMessage({ channel: name, payload });
  }

  #subscribe(channels: readonly string[]): Promise<unknown> {
    const subscribed = this.#redis.subscribe(...channels.map((channel) => `${this.#prefix}${channel}`));
    for (const channel of channels) this.#confirmed.set(channel, subscribed);
    subscribed.catch(() => this.#confirmed.clear());
    return subscribed;
  }

  async #subscribeToAll(): Promise<void> {
    try {
      await this.#subscribe([...this.#channels]);
      this.#trouble = undefined;
      this.#options.onLoss();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Goes all the way of a message, except back: connection, the right to publish, and the subscription. */
  async #check(): Promise<void> {
    if (!this.#isReady) return;
    try {
      const listeners = await this.#redis.publish(`${this.#prefix}${this.#ownChannel}`, "");
      if (listeners === 0) await this.#subscribeToAll();
      else this.#trouble = undefined;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** A refusal stays one on the next connection, too; after anything else the connection is of no use. */
  #fail(error: unknown): void {
    this.#trouble = error instanceof Error ? error.message : String(error);
    if (!(error instanceof ReplyError) && this.#isReady) this.#redis.disconnect(true);
  }

  #onReady(): void {
    this.#endFirstTry();
    void this.#subscribeToAll();
  }

  #onClose(): void {
    this.#endFirstTry();
    this.#confirmed.clear();
    this.#trouble ??= "the connection was closed";
  }

  #endFirstTry(): void {
    this.#isTried = true;
    this.#firstTry.resolve();
  }
}

function connectionOf({ protocol, hostname, port, username, password }: URL) {
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? 6_379 : Number(port),
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" && { tls: {} }),
    connectionName: "evenkeel",
    connectTimeout: CONNECT_MS,
    commandTimeout: ANSWER_MS,
    retryStrategy: (failures: number) => backoffMs(failures, RECONNECT),
    // News that is not sent at once is too old. Readers find it in the tables.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // Done here, because readers have to look at the tables afterwards.
    autoResubscribe: false,
  };
}
