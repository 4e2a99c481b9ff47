/** What callers get while every connection of the process is in use. */
import { Client } from "pg";
import { expect, test } from "vitest";
import { delta, enqueue, journalOf, start, stepOf } from "../contract/setup.ts";
import { databases, openAt, POOL } from "./test-data.ts";

const { postgres } = databases();

test("a request that finds no connection is refused after 5 s, and the work of owners waits on", async () => {
  const server = await postgres();
  const url = server.url(await server.createDatabase());
  await using engine = await openAt(url);
  const claim = await start(engine);
  const blocker = new Client({ connectionString: url });
  await blocker.connect();
  await blocker.query("BEGIN; LOCK TABLE runs IN ACCESS EXCLUSIVE MODE");
  const blocked = Array.from({ length: POOL }, () => engine.run("any"));

  const refused = engine.run("any").catch((error: unknown) => error);
  const written = engine.append(stepOf(claim, { events: [delta("waited")] }));

  expect(await refused).toMatchObject({ code: "STORAGE_UNAVAILABLE", retryAfterS: 1 });
  await blocker.end();
  await Promise.all(blocked);
  await written;
  expect((await journalOf(engine, claim.run.run_id)).at(-1)).toMatchObject({ delta: "waited" });
  expect(await enqueue(engine)).toMatchObject({ status: "queued" });
});
