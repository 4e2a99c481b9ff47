/** The real thread on a real database. */
import { existsSync } from "node:fs";
import { utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pino } from "pino";
import { expect, test, vi } from "vitest";
import { complete, enqueue, LEASE_MS, ownerOf, start } from "../engine/contract/setup.ts";
import { openTemporary } from "../engine/sqlite/test-data.ts";
import type { Retention } from "../core/retention.ts";
import type { OpenOptions } from "../engine/driver.ts";
import type { Log } from "../observe/log.ts";
import { Upkeep } from "./upkeep.ts";

const PATIENCE = { timeout: 10_000, interval: 25 };

interface BeginOptions {
  readonly log?: Log;
  readonly lastActivity?: number;
  readonly retention?: Retention;
}

/** Stopped where the test ends, however it ends. */
function begin(
  dataDir: string,
  { log = pino({ enabled: false }), lastActivity = 0, retention }: BeginOptions = {},
): Upkeep & AsyncDisposable {
  const storage: OpenOptions = { dataDir, durability: "normal", limits: { queued: 100 } };
  const upkeep = new Upkeep({ storage, retention: retention ?? {}, lastActivity }, log);
  void upkeep.start();
  return Object.assign(upkeep, { [Symbol.asyncDispose]: () => upkeep.stop() });
}

function makeLog(): { readonly log: Log; readonly lines: readonly string[] } {
  const lines: string[] = [];
  return { log: pino({}, { write: (line: string) => void lines.push(line) }), lines };
}

test("it tells how many runs there are, and counts the activities since the start", async () => {
  await using data = await openTemporary();
  await enqueue(data.engine);
  const lastActivity = await data.engine.lastActivity();
  await using upkeep = begin(data.folder.path, { lastActivity });
  expect(upkeep.gauges).toEqual({});

  await enqueue(data.engine);
  await enqueue(data.engine);
  await data.engine.claim({ owner: ownerOf("owner 1"), limit: 1, leaseMs: LEASE_MS });

  const expected = { runs_queued: 2, runs_running: 1, "run.queued": 2, "run.started": 1, "run.failed": 0 };
  await vi.waitFor(() => expect(upkeep.gauges).toMatchObject(expected), PATIENCE);
  await enqueue(data.engine);
  await vi.waitFor(() => expect(upkeep.gauges).toMatchObject({ "run.queued": 3, "run.started": 1 }), PATIENCE);
});

test("whoever started it can wait for its first look", async () => {
  await using data = await openTemporary();
  const storage: OpenOptions = { dataDir: data.folder.path, durability: "normal", limits: { queued: 100 } };
  const upkeep = new Upkeep({ storage, retention: {}, lastActivity: 0 }, pino({ enabled: false }));
  await using _ = { [Symbol.asyncDispose]: () => upkeep.stop() };

  await upkeep.start();

  expect(upkeep.gauges).toMatchObject({ runs_queued: 0 });
});

test("uploads that a killed process left unfinished go by themselves", async () => {
  await using data = await openTemporary();
  const path = join(await data.engine.files.incoming(), "killed");
  await writeFile(path, "bytes");
  await utimes(path, new Date(), new Date(Date.now() - 2 * 3_600_000));

  await using _ = begin(data.folder.path);

  await vi.waitFor(() => expect(existsSync(path)).toBe(false), PATIENCE);
});

test("what is older than the settings say goes by itself", async () => {
  await using data = await openTemporary();
  const claim = await start(data.engine);
  await complete(data.engine, claim);
  await using _upkeep = begin(data.folder.path, { retention: { threadsMs: 0 } });

  await vi.waitFor(async () => expect(await data.engine.run(claim.run.run_id)).toBeUndefined(), PATIENCE);
});

test("a storage in trouble is logged, nothing is told meanwhile, and it goes on when that is over", async () => {
  await using data = await openTemporary();
  const { log, lines } = makeLog();
  await using upkeep = begin(data.folder.path, { log });
  await vi.waitFor(() => expect(upkeep.gauges).toMatchObject({ runs_queued: 0 }), PATIENCE);

  using broken = new DatabaseSync(data.folder.dbPath, { timeout: 1_000 });
  broken.exec("ALTER TABLE activities RENAME TO elsewhere");
  await vi.waitFor(() => expect(upkeep.gauges).toEqual({}), PATIENCE);
  expect(lines[0]).toContain("upkeep of the data failed");
  broken.exec("ALTER TABLE elsewhere RENAME TO activities");

  await vi.waitFor(() => expect(upkeep.gauges).toMatchObject({ runs_queued: 0 }), PATIENCE);
});

test("a storage that cannot be opened is tried again, until it is stopped", async () => {
  await using data = await openTemporary();
  const [first, second] = [makeLog(), makeLog()];
  await using upkeep = begin(data.folder.dbPath, first);

  await vi.waitFor(() => expect(first.lines.length).toBeGreaterThan(1), PATIENCE);
  await upkeep.stop();
  const logged = first.lines.length;
  // Another upkeep tries three times meanwhile, so this one would have tried too.
  await using _another = begin(data.folder.dbPath, second);
  await vi.waitFor(() => expect(second.lines.length).toBeGreaterThan(2), PATIENCE);

  expect(first.lines).toHaveLength(logged);
});
