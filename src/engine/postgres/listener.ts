/** One connection that listens, until it breaks. Called by `notify.ts`. */
import type { Client } from "pg";
import type { BusMessage } from "./bus.ts";
import { connect } from "./database.ts";

/** A connection may be dead without an error, so ask it this often. */
const ALIVE_MS = 5_000;

export interface ListenerOptions {
  readonly url: string;
  readonly onMessage: (message: BusMessage) => void;
  /** Called at most once, and never after `end`. */
  readonly onLost: () => void;
}

export class Listener {
  readonly #client: Client;
  /** By channel: fulfilled once the server has confirmed LISTEN. */
  readonly #listening = new Map<string, Promise<unknown>>();
  readonly #alive: NodeJS.Timeout;
  #isEnded = false;

  /** Use `open`. */
  constructor(client: Client, { onMessage, onLost }: ListenerOptions) {
    this.#client = client;
    const lost = () => {
      if (this.#isEnded) return;
      void this.end();
      onLost();
    };
    client.on("notification", ({ channel, payload = "" }) => this.#isEnded || onMessage({ channel, payload }));
    client.on("error", lost);
    client.on("end", lost);
    this.#alive = setInterval(() => void client.query("SELECT 1").catch(lost), ALIVE_MS);
  }

  /** Returns a listener of all the channels. If one is refused, ends the connection. */
  static async open(options: ListenerOptions, channels: Iterable<string>): Promise<Listener> {
    const listener = new Listener(await connect(options.url), options);
    try {
      await Promise.all([...channels].map((channel) => listener.listen(channel)));
      return listener;
    } catch (error) {
      // The server may refuse LISTEN on a connection that lives, as a standby does: end the connection, as nobody else
      // would.
      void listener.end();
      throw error;
    }
  }

  /** @param channel a name of ours: letters, digits and underscores */
  listen(channel: string): Promise<unknown> {
    const under = this.#listening.get(channel);
    if (under) return under;
    const listening = this.#client.query(`LISTEN ${channel}`);
    this.#listening.set(channel, listening);
    listening.catch(() => this.#listening.delete(channel));
    return listening;
  }

  /** Idempotent. */
  async end(): Promise<void> {
    this.#isEnded = true;
    clearInterval(this.#alive);
    await this.#client.end().catch(() => {});
  }
}
