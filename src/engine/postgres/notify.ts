/**
 * The bus of Postgres itself: NOTIFY and LISTEN, each on a connection of its own. NOTIFY inside a transaction would
 * make all commits of the server wait for one lock. So NOTIFY is sent after the commit, and messages are gathered for a
 * few milliseconds. The listening connection is never in a transaction. When it breaks, a new one listens by itself.
 */
import type { Client } from "pg";
import { atMost } from "../../core/at-most.ts";
import type { Bus, BusListener, BusMessage } from "./bus.ts";
import { connect } from "./database.ts";
import { storageError } from "./errors.ts";
import { Listener } from "./listener.ts";
import { Outbox } from "./outbox.ts";

const SPACING_MS = 5;
/** Postgres takes 7,999. */
const MAX_PAYLOAD_BYTES = 7_900;
const RECONNECT_MS = { first: 100, most: 2_000 };
/** A process that ends waits no longer than this until its last messages are sent. */
const LAST_WORDS_MS = 1_000;

const NOTIFY = "SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS m (channel, payload)";

export interface NotifyOptions extends BusListener {
  /** Leads to connections of our own: both of them keep settings of their session. */
  readonly url: string;
}

export class NotifyBus implements Bus {
  readonly name = "notify";
  readonly maxPayloadBytes = MAX_PAYLOAD_BYTES;
  readonly #options: NotifyOptions;
  /** Every new listening connection listens to all of these. */
  readonly #channels = new Set<string>();
  readonly #outbox = new Outbox({ spacingMs: SPACING_MS, send: (group) => this.#send(group) });
  #sender: Promise<Client> | undefined;
  #listener: Promise<Listener> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RECONNECT_MS.first;
  /** From the loss of the listening connection until there is a new one. */
  #isLost = false;
  #closed = false;

  constructor(options: NotifyOptions) {
    this.#options = options;
  }

  /** True before anybody listens: there is no connection then, and none is needed. */
  get isConnected(): boolean {
    return !this.#isLost;
  }

  publish(messages: readonly BusMessage[]): void {
    if (!this.#closed) this.#outbox.add(messages);
  }

  async #send(group: readonly BusMessage[]): Promise<void> {
    try {
      const sender = await (this.#sender ??= this.#connectSender());
      const [channels, payloads] = [group.map(({ channel }) => channel), group.map(({ payload }) => payload)];
      await sender.query({ name: "notify", text: NOTIFY, values: [channels, payloads] });
    } catch {
      // The group is lost. The next group tries a new connection.
      this.#dropSender();
    }
  }

  async #connectSender(): Promise<Client> {
    const client = await connect(this.#options.url);
    client.on("error", () => this.#dropSender());
    // Messages need not survive a crash of the database.
    await client.query("SET synchronous_commit = off");
    return client;
  }

  #dropSender(): void {
    endQuietly(this.#sender);
    this.#sender = undefined;
  }

  async listen(channel: string): Promise<void> {
    const isKnown = this.#channels.has(channel);
    // While the connection is away, do not wait: `onLoss` is called once it is back.
    if (isKnown && !this.#listener) return;
    try {
      const listener = await (this.#listener ??= this.#openListener());
      await listener.listen(channel);
      this.#channels.add(channel);
    } catch (error) {
      if (!isKnown) throw storageError(error);
    }
  }

  async #openListener(): Promise<Listener> {
    const { url, onMessage } = this.#options;
    try {
      const listener = await Listener.open({ url, onMessage, onLost: () => this.#listenLater() }, this.#channels);
      this.#retryMs = RECONNECT_MS.first;
      this.#isLost = false;
      return listener;
    } catch (error) {
      this.#listenLater();
      throw error;
    }
  }

  #listenLater(): void {
    this.#listener = undefined;
    this.#isLost = true;
    if (this.#closed || this.#retry) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#listener ??= this.#openListener();
      this.#listener.then(
        () => this.#options.onLoss(),
        () => {},
      );
    }, this.#retryMs);
    this.#retryMs = Math.min(RECONNECT_MS.most, this.#retryMs * 2);
  }

  /** Always nothing: whoever cannot reach Postgres says so anyway. */
  notice(): undefined {}

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#outbox.close(LAST_WORDS_MS);
    this.#dropSender();
    const listener = this.#listener;
    this.#listener = undefined;
    await atMost(
      LAST_WORDS_MS,
      listener?.then((open) => open.end()),
    );
  }
}

function endQuietly(client: Promise<Client> | undefined): void {
  void client?.then((connected) => connected.end()).catch(() => {});
}
