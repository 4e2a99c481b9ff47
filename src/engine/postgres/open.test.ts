/**
 * Opening a database that is new, opened by several machines at once, of a newer version, wrong or away; and many
 * claims at once.
 */
import { Client } from "pg";
import { expect, test } from "vitest";
import { newRun, ownerOf } from "../contract/setup.ts";
import type { Run } from "../../core/run.ts";
import type { Engine } from "../engine.ts";
import { openEngine } from "../open.ts";
import { databases, openAt, settingsAt } from "./test-data.ts";

const { open, postgres } = databases();

test("machines that start at once on an empty database make its tables once", async () => {
  const server = await postgres();
  const url = server.url(await server.createDatabase());

  const engines = await Promise.all(Array.from({ length: 6 }, () => openAt(url)));

  for (const engine of engines) expect(await engine.counts()).toEqual({ queued: 0, running: 0 });
  await Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]()));
});

test("a machine waits for another one's migration for longer than any request may take", async () => {
  const server = await postgres();
  const url = server.url(await server.createDatabase());
  const holder = new Client({ connectionString: url });
  await holder.connect();
  await holder.query("SELECT pg_advisory_lock(7310155201)");
  const opening = openAt(url);
  setTimeout(() => void holder.end(), 16_000);

  await using engine = await opening;
  expect(await engine.counts()).toEqual({ queued: 0, running: 0 });
});

test("a database of a newer version is used as long as that version allows it, and refused from then on", async () => {
  const server = await postgres();
  const name = await server.createDatabase();
  await (await openAt(server.url(name)))[Symbol.asyncDispose]();
  await server.admin("UPDATE evenkeel_schema SET version = version + 100", name);
  await (await openAt(server.url(name)))[Symbol.asyncDispose]();
  await server.admin("UPDATE evenkeel_schema SET oldest = version", name);

  await expect(openAt(server.url(name))).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringContaining("newer evenkeel"),
  });
});

test.runIf(process.platform === "linux")("where uploads have no folder, each is refused at once", async () => {
  const server = await postgres();
  const database = settingsAt(server.url(await server.createDatabase()));
  const engine = await openEngine({ dataDir: "/proc/evenkeel", durability: "normal", limits: { queued: 1 }, database });

  for (let upload = 0; upload < 2; upload += 1)
    await expect(engine.files.incoming()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  await engine.close();
});

test("a database whose encoding cannot hold every text is refused before it has tables", async () => {
  const server = await postgres();
  await server.admin("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");

  await expect(openAt(server.url("latin"))).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringMatching(/encoding LATIN1.*ENCODING 'UTF8'/),
    retryAfterS: undefined,
  });
});

test("a database that is not there is a mistake, and one that does not answer may be there later", async () => {
  const server = await postgres();
  const [missing, away] = [server.url("nowhere"), "postgres://nobody@127.0.0.1:1/nothing"];
  await expect(openAt(missing)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE", retryAfterS: undefined });
  await expect(openAt(away)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE", retryAfterS: 5 });
});

const RUNS = 400;
const HANDLES = 8;
const ENQUEUED_AT_ONCE = 50;

test(`${HANDLES} handles that claim ${RUNS} runs at once get each of them once`, async () => {
  await using data = await open();
  const runs: Run[] = [];
  // Not all at once: a request that waits for a connection for too long is refused.
  while (runs.length < RUNS)
    for (const { run } of await Promise.all(
      Array.from({ length: ENQUEUED_AT_ONCE }, () => data.engine.enqueue(newRun())),
    ))
      runs.push(run);
  const engines = await Promise.all(Array.from({ length: HANDLES }, () => data.another()));

  const claimed = await Promise.all(engines.map((engine, index) => claimAll(engine, `owner ${index}`)));

  expect(claimed.filter(({ length }) => length > 0).length).toBeGreaterThan(1);
  expect(claimed.flat().toSorted()).toEqual(runs.map((run) => run.run_id).toSorted());
});

/**
 * Claims one by one, to meet other claimers as often as possible. Two claims in a row that find nothing are the end.
 */
async function claimAll(engine: Engine, owner: string): Promise<string[]> {
  const ids: string[] = [];
  for (let misses = 0; misses < 2;) {
    const claims = await engine.claim({ owner: ownerOf(owner), limit: 1, leaseMs: 60_000 });
    if (claims.length === 0) misses += 1;
    ids.push(...claims.map(({ run }) => run.run_id));
  }
  return ids;
}
