/** The storage that a command works on by itself, beside a server or without one. Called by `prune`, `export` and `import`. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../engine/engine.ts";
import { DATABASE_FILE } from "../engine/driver.ts";
import { openEngine } from "../engine/open.ts";
import type { Env } from "../environment.ts";
import { SettingsReader } from "../settings-reader.ts";
import { CliError } from "./connection.ts";

export interface StorageOptions {
  /** DATA_DIR of the server. */
  readonly data: string;
  /** Its DATABASE_URL, when it has one. */
  readonly database?: string;
  /** Its REDIS_URL, when it has one: servers hear there of what the command writes. */
  readonly redis?: string;
}

const POOL = 2;

/** The storage is closed when the command ends. @param mayBeNew whether a missing folder is created */
export async function openStorage({ data, database: given, redis }: StorageOptions, mayBeNew = false) {
  const url =
    given === undefined ? undefined : checked((read) => read.database("DATABASE_URL"), { DATABASE_URL: given });
  if (url === "") throw new CliError('Expected --database to be a URL such as "postgres://host/database", got "".');
  if (url === undefined && !mayBeNew && !existsSync(join(data, DATABASE_FILE)))
    throw new CliError(
      `There is no ${DATABASE_FILE} in ${data}; name the server's DATA_DIR with --data, or its DATABASE_URL with --database.`,
    );
  process.stderr.write(`storage: ${placeOf({ data, ...(url !== undefined && { database: url }) })}\n`);
  const database = url === undefined ? null : { url, listenUrl: url, pool: POOL, ...newsOf(redis) };
  const engine = await openEngine({ dataDir: data, durability: "normal", limits: { queued: 0 }, database });
  return Object.assign(engine, { [Symbol.asyncDispose]: () => engine.close() }) satisfies Engine & AsyncDisposable;
}

function newsOf(redis: string | undefined): { readonly redisUrl?: string } {
  const redisUrl = checked((read) => read.redis("REDIS_URL", true), { REDIS_URL: redis });
  return redisUrl === "" ? {} : { redisUrl };
}

/** The value that the server would read. @throws CliError without the password */
function checked(look: (read: SettingsReader) => string, given: Env): string {
  const read = new SettingsReader(given);
  const value = look(read);
  const [problem] = read.problems;
  if (problem !== undefined) throw new CliError(problem);
  return value;
}

/** For people: where the data is, without user and password. */
export function placeOf({ data, database }: StorageOptions): string {
  if (database === undefined) return join(data, DATABASE_FILE);
  const url = URL.parse(database);
  return `Postgres at ${url?.host ?? ""}${url?.pathname ?? ""}`;
}
