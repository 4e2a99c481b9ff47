import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { delta, journalOf, start, stepOf } from "../contract/setup.ts";
import type { Claim, Engine } from "../engine.ts";
import { openTemporary } from "./test-data.ts";

const MIB = 1024 * 1024;
const STEP_BYTES = MIB / 4;

test("the WAL stays small under writes when maintain is called, and grows with them when it is not", async () => {
  await using data = await openTemporary();
  const writing = await data.another();
  const claim = await start(writing);
  const walBytes = () => statSync(`${data.folder.dbPath}-wal`).size;

  await write(writing, claim, { steps: 32, afterEach: async () => void (await data.engine.maintain()) });
  expect(walBytes()).toBeLessThan(2 * MIB);

  await write(writing, claim, { steps: 32, afterEach: async () => {} });
  expect(walBytes()).toBeGreaterThan(8 * MIB);
});

test("the WAL is cut back once a reader that held it is gone", async () => {
  await using data = await openTemporary();
  const claim = await start(data.engine);
  const walBytes = () => statSync(`${data.folder.dbPath}-wal`).size;
  const maintain = async () => void (await data.engine.maintain());
  {
    using reader = new DatabaseSync(data.folder.dbPath);
    reader.exec("BEGIN; SELECT * FROM runs");
    await write(data.engine, claim, { steps: 72, afterEach: maintain });
  }
  const peak = walBytes();
  expect(peak).toBeGreaterThan(17 * MIB);

  await write(data.engine, claim, { steps: 32, afterEach: maintain });

  expect(walBytes()).toBeLessThan(17 * MIB);
});

test("maintain warns when a reader has kept a large WAL from beginning anew for ten seconds, until it is gone", async () => {
  await using data = await openTemporary();
  const claim = await start(data.engine);
  const maintain = async () => void (await data.engine.maintain());
  {
    using reader = new DatabaseSync(data.folder.dbPath);
    reader.exec("BEGIN; SELECT * FROM runs");
    await write(data.engine, claim, { steps: 72, afterEach: maintain });
    expect(await data.engine.maintain()).toEqual([]);

    using _later = laterBy(10_000);
    const [warning, ...others] = await data.engine.maintain();

    expect(others).toEqual([]);
    expect(warning).toMatch(
      /evenkeel\.db-wal has grown to \d+ MB: .* reads the database in a transaction that does not end/,
    );
    expect(warning).toContain(process.platform === "linux" ? `process ${process.pid} (` : "somebody");
  }
  expect(await data.engine.maintain()).toEqual([]);
});

/** Moves the monotonic clock. */
function laterBy(ms: number): Disposable {
  const now = performance.now.bind(performance);
  const spy = vi.spyOn(performance, "now").mockImplementation(() => now() + ms);
  return { [Symbol.dispose]: () => spy.mockRestore() };
}

test("maintain while another process writes is no error, and loses nothing", async () => {
  await using data = await openTemporary();
  const claim = await start(data.engine);
  await write(data.engine, claim, { steps: 72, afterEach: async () => {} });
  using rival = new DatabaseSync(data.folder.dbPath, { timeout: 0 });
  rival.exec("BEGIN IMMEDIATE");

  await data.engine.maintain();

  rival.exec("ROLLBACK");
  expect(await journalOf(data.engine, claim.run.run_id)).toHaveLength(3 + 72);
});

test("maintain on a database that nobody wrote to is no error", async () => {
  await using data = await openTemporary();
  await data.engine.maintain();
  await data.engine.maintain();

  expect(await data.engine.lastActivity()).toBe(0);
});

async function write(
  engine: Engine,
  claim: Claim,
  { steps, afterEach }: { steps: number; afterEach: () => Promise<void> },
): Promise<void> {
  const events = [delta("x".repeat(STEP_BYTES))];
  for (let step = 0; step < steps; step += 1) {
    await engine.append(stepOf(claim, { events }));
    await afterEach();
  }
}
