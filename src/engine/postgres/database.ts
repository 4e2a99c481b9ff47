/**
 * Connections to Postgres: a bounded pool for statements and transactions, and connections of their own for the bus.
 * Statements are prepared once per connection, under a name that follows from their text. Connections are pipelined: a
 * statement that does not need the answer of the one before is sent together with it, in one round trip.
 */
import { createHash } from "node:crypto";
import { Client, Pool, types, type ClientConfig, type PoolClient } from "pg";
import { isLost, isPassing, storageError } from "./errors.ts";
import { decodeText, encode } from "./text.ts";
import { Turnstile, type Kind } from "./turnstile.ts";

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database?sslmode=verify-full` */
  readonly url: string;
  /** The most connections of this process, beside the one that listens and the one that notifies. */
  readonly pool: number;
  /** See `DatabaseSettings`. */
  readonly prepare?: boolean;
  /** How long a statement may take, in milliseconds; 0 is for ever. */
  readonly answerMs?: number;
}

export type Row = Readonly<Record<string, unknown>>;

/** Something that answers statements: the pool, or one transaction. */
export interface Queryable {
  query<T extends object = Row>(text: string, values?: readonly unknown[]): Promise<T[]>;
}

const CONNECT_MS = 5_000;
/** Longer than any statement of ours takes. A connection that is silent for longer is given up. */
const ANSWER_MS = 15_000;
const IDLE_MS = 30_000;
/**
 * A process that stops in the middle of a transaction (SIGSTOP, a cut network) holds locks that others wait for. The
 * server ends the transaction after this time.
 */
const IDLE_IN_TRANSACTION_MS = 3_000;
const LOCK_MS = 10_000;
/** How often a transaction that conflicted with another one is tried. */
const TRIES = 6;

const INT8 = 20;
const TEXT = 25;

/** What all handles on the database share. */
interface Connections {
  readonly pool: Pool;
  readonly turnstile: Turnstile;
  readonly prepare: boolean;
}

export class Database implements Queryable {
  readonly #pool: Pool;
  readonly #turnstile: Turnstile;
  readonly #kind: Kind;
  readonly #prepare: boolean;
  // One entry per statement of this driver, and per combination of filters of a list.
  readonly #names = new Map<string, string>();

  /** Use `open`. @param kind how long callers wait for a connection: see `turnstile.ts` */
  private constructor({ pool, turnstile, prepare }: Connections, kind: Kind) {
    this.#pool = pool;
    this.#turnstile = turnstile;
    this.#prepare = prepare;
    this.#kind = kind;
  }

  /** Connects when the first statement is sent. */
  static open({ url, pool: max, prepare = true, answerMs = ANSWER_MS }: DatabaseOptions): Database {
    const pool = new Pool({ ...clientOptions(url), query_timeout: answerMs, max, idleTimeoutMillis: IDLE_MS });
    // A connection that ends while nobody uses it is replaced when the next one is needed.
    pool.on("error", () => {});
    pool.on("connect", (client) => {
      // A connection that breaks within a transaction emits "error" beside failing its statements. Without a listener
      // that would end the process.
      client.on("error", () => {});
      prepareSession(client);
    });
    return new Database({ pool, turnstile: new Turnstile(max), prepare }, "request");
  }

  /** The same connections, for the work of owners and of upkeep. */
  get forWork(): Database {
    return new Database({ pool: this.#pool, turnstile: this.#turnstile, prepare: this.#prepare }, "work");
  }

  async query<T extends object = Row>(text: string, values: readonly unknown[] = []): Promise<T[]> {
    try {
      const { rows } = await this.#turnstile.pass(this.#kind, () => this.#pool.query<T>(this.#statement(text, values)));
      return rows;
    } catch (error) {
      throw storageError(error);
    }
  }

  /**
   * Commits what `work` does, and rolls it back when `work` throws. `work` may be called again from the beginning. It
   * returns its result and the statements that are sent together with the COMMIT: nobody waits between them, so locks
   * that all writers need are held no longer than a commit takes.
   */
  async transaction<T>(work: (db: Queryable) => Promise<Finish<T>>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#turnstile.pass(this.#kind, () => this.#try(work));
      } catch (error) {
        if (!isPassing(error) || tries === TRIES) throw storageError(error);
      }
    }
  }

  async #try<T>(work: (db: Queryable) => Promise<Finish<T>>): Promise<T> {
    const client = await this.#pool.connect();
    let broken: Error | undefined;
    const failures: unknown[] = [];
    try {
      const begun = client.query("BEGIN");
      const db = this.#queryableOf(client, failures);
      const [, finish] = await Promise.all([begun, work(db)]);
      const last = finish.statements.map(({ text, values }) => db.query(text, values));
      const [committed, ...answers] = await Promise.all([client.query("COMMIT"), ...last]);
      if (committed.command !== "COMMIT") throw new Error("The transaction was rolled back.");
      return finish.result(answers);
    } catch (caught) {
      // Statements that were sent behind the one that failed fail, too, and say only that the transaction is over. `work`
      // may hear of one of those first.
      const [error = caught] = failures;
      broken = await rollBack(client, error);
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** @param failures takes the errors of its statements, in the order in which the database raised them */
  #queryableOf(client: PoolClient, failures: unknown[]): Queryable {
    return {
      query: async <T extends object>(text: string, values: readonly unknown[] = []) => {
        try {
          const { rows } = await client.query<T>(this.#statement(text, values));
          return rows;
        } catch (error) {
          failures.push(error);
          throw error;
        }
      },
    };
  }

  #statement(text: string, values: readonly unknown[]) {
    if (!this.#prepare) return { text, values: values.map(encode) };
    let name = this.#names.get(text);
    if (!name) this.#names.set(text, (name = createHash("sha256").update(text).digest("base64url").slice(0, 20)));
    return { name, text, values: values.map(encode) };
  }

  async close(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }
}

/** How a transaction ends. */
export interface Finish<T> {
  readonly statements: readonly Statement[];
  /** @param answers the rows of each of the statements */
  readonly result: (answers: readonly (readonly Row[])[]) => T;
}

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** A connection outside of the pool. The caller hears of its end by "end". */
export async function connect(url: string): Promise<Client> {
  const client = new Client(clientOptions(url));
  // Without a listener, the error of a dead connection would end the process.
  client.on("error", () => {});
  await client.connect();
  return client;
}

function clientOptions(url: string): ClientConfig & { readonly pipeline: boolean } {
  return {
    connectionString: checkingTls(url),
    application_name: "evenkeel",
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: ANSWER_MS,
    keepAlive: true,
    pipeline: true,
    types: { getTypeParser },
  };
}

/**
 * Certificate and name are checked wherever TLS is asked for, unless the URL says `no-verify`. `pg` does so, too, but
 * warns of the weaker modes, because a later version will check less there.
 */
function checkingTls(url: string): string {
  return url.replace(/([?&]sslmode=)(?:prefer|require|verify-ca)(?=&|$)/, "$1verify-full");
}

const PARSERS: Readonly<Record<number, (value: string) => unknown>> = { [INT8]: Number, [TEXT]: decodeText };

/** Positions and times fit into a number; text is decoded. */
function getTypeParser(type: number, format?: "text" | "binary"): (value: string) => unknown {
  return PARSERS[type] ?? types.getTypeParser(type, format);
}

/** Sent ahead of the first statement, not as parameters of the connection, because PgBouncer refuses those. */
function prepareSession(client: Client): void {
  const settings =
    `SET idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}; SET lock_timeout = ${LOCK_MS}; ` +
    `SET statement_timeout = ${ANSWER_MS}`;
  // If the connection refuses these settings, the statement that waits behind them fails, too.
  client.query(settings).catch(() => {});
}

/** @returns the error, when the connection cannot be used any more */
async function rollBack(client: PoolClient, error: unknown): Promise<Error | undefined> {
  if (isLost(error)) return error as Error;
  try {
    await client.query("ROLLBACK");
    return undefined;
  } catch (failed) {
    return failed as Error;
  }
}
