/** What a server would meet in its Postgres, and on the bus between processes. Only with DATABASE_URL. */
import type { DatabaseSettings } from "../engine/driver.ts";
import type { Bus, BusListener } from "../engine/postgres/bus.ts";
import type { Look } from "./look.ts";

const FIRST_VERSION = 140_000;
const HEARD_MS = 3_000;
const AGAIN_MS = 100;
const CHANNEL = "evenkeel_doctor";

const FACTS =
  "SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS version, " +
  "to_regclass('evenkeel_schema') IS NOT NULL AS has_tables, coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create";

interface Facts {
  readonly number: number;
  readonly version: string;
  readonly has_tables: boolean;
  readonly may_create: boolean;
}

export function lookAtStorage(database: DatabaseSettings | null): Readonly<Record<string, Look>> {
  if (!database) return {};
  const { redisUrl } = database;
  return {
    postgres: () => postgresOf(database),
    ...(redisUrl === undefined ? { notify: () => notifyOf(database) } : { redis: () => redisOf(redisUrl) }),
  };
}

async function postgresOf({ url, prepare = true }: DatabaseSettings): Promise<string> {
  const { Database } = await import("../engine/postgres/database.ts");
  const database = Database.open({ url, prepare, pool: 1 });
  try {
    const [facts] = await database.query<Facts>(FACTS).catch((error: unknown) => {
      throw withCause(error);
    });
    if (!facts) throw new Error("It says nothing of itself.");
    const { number, version, has_tables: hasTables, may_create: mayCreate } = facts;
    if (number < FIRST_VERSION) throw new Error(`Postgres ${version} is too old; 14 or newer is needed.`);
    if (!hasTables && !mayCreate)
      throw new Error("The user may not make tables: GRANT CREATE on the schema, or name the database's owner.");
    if (!hasTables) return `${version}, without tables yet; the first server makes them`;
    // Fails on a standby, and for a user who may only read.
    const [schema] = await database.query<{ version: number }>(
      "UPDATE evenkeel_schema SET version = version RETURNING version",
    );
    return `${version}, schema ${schema?.version ?? "unknown"}, can be written`;
  } finally {
    await database.close();
  }
}

async function notifyOf({ listenUrl: url }: DatabaseSettings): Promise<string> {
  const { NotifyBus } = await import("../engine/postgres/notify.ts");
  const ms = await roundTripMs((listener) => new NotifyBus({ url, ...listener }));
  if (ms === undefined)
    throw new Error("News does not come back: behind a PgBouncer that pools by transaction, set DATABASE_LISTEN_URL.");
  return `news comes back in ${ms} ms`;
}

async function redisOf(url: string): Promise<string> {
  const { RedisBus } = await import("../engine/postgres/redis.ts");
  let trouble: string | undefined;
  const ms = await roundTripMs(
    (listener) => new RedisBus({ url, space: "doctor", ...listener }),
    (notice) => (trouble = notice),
  );
  if (ms === undefined) throw new Error(trouble ?? `Redis at ${new URL(url).host} does not answer.`);
  return `${new URL(url).host}, news comes back in ${ms} ms`;
}

/** @returns undefined when nothing came back. @param onNotice called with what the bus says then */
async function roundTripMs(
  open: (listener: BusListener) => Bus,
  onNotice: (notice: string) => void = () => {},
): Promise<number | undefined> {
  const heard = Promise.withResolvers<boolean>();
  const bus = open({ onMessage: () => heard.resolve(true), onLoss: () => {} });
  const giveUp = setTimeout(heard.resolve, HEARD_MS, false);
  let sentAt = performance.now();
  const send = () => {
    sentAt = performance.now();
    bus.publish([{ channel: CHANNEL, payload: "hello" }]);
  };
  // Sent again and again, because a bus that is not connected yet drops messages.
  const sending = setInterval(send, AGAIN_MS);
  try {
    await bus.listen(CHANNEL);
    send();
    if (await heard.promise) return Math.max(1, Math.round(performance.now() - sentAt));
    const notice = bus.notice();
    if (notice !== undefined) onNotice(notice);
    return undefined;
  } finally {
    clearTimeout(giveUp);
    clearInterval(sending);
    await bus.close();
  }
}

/** An operator may know where the database is: the cause says it. */
function withCause(error: unknown): unknown {
  if (!(error instanceof Error) || !(error.cause instanceof Error)) return error;
  return new Error(`${error.message} (${error.cause.message})`, { cause: error.cause });
}
