/** What a failed transaction says, when more statements had been sent before its failure came back. */
import { expect, test } from "vitest";
import { Database, type Queryable } from "./database.ts";
import { databases } from "./test-data.ts";

const { postgres } = databases();

const DISK_FULL = "DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$";

async function openDatabase() {
  const server = await postgres();
  const database = Database.open({ url: server.url(await server.createDatabase()), pool: 2 });
  return Object.assign(database, { [Symbol.asyncDispose]: () => database.close() });
}

/** Both statements are sent at once, and the second one's failure is heard of first. */
async function both(db: Queryable, first: string) {
  const later = async () => (await db.query(first)).at(0);
  await Promise.all([later(), db.query("SELECT 1")]);
  return { statements: [], result: () => undefined };
}

test("a transaction fails with the statement that failed, not with one behind it", async () => {
  await using database = await openDatabase();

  const failed = database.transaction((db) => both(db, DISK_FULL));

  await expect(failed).rejects.toMatchObject({ code: "STORAGE_FULL", cause: { code: "53100" } });
});

test("a transaction that met another one is tried again, whichever of its failures is heard of first", async () => {
  await using database = await openDatabase();
  await database.query("CREATE TABLE taken (id integer PRIMARY KEY)");
  await database.query("INSERT INTO taken VALUES (1)");
  let tries = 0;

  await database.transaction((db) => both(db, `INSERT INTO taken VALUES (${(tries += 1)})`));

  expect(tries).toBe(2);
});
