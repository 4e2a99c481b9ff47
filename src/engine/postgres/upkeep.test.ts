/**
 * Upkeep of several machines: which one hands back the runs of a dead machine, and which one must not be taken for dead
 * meanwhile.
 */
import { Client } from "pg";
import { expect, test, vi } from "vitest";
import { start } from "../contract/setup.ts";
import { openEngine } from "../open.ts";
import { databases } from "./test-data.ts";

const { postgres } = databases();

test("a machine that hands back for seconds gives signs of life, and no other one hands back the same runs", async () => {
  const server = await postgres();
  const url = server.url(await server.createDatabase());
  await using first = await openMachine(url, "first");
  await using second = await openMachine(url, "second");
  const { run } = await start(first.engine, { runId: "run" });
  await using other = await connected(url);
  await other.query("INSERT INTO machines VALUES ('machine 1', 'boot 1', -60000)");
  // A machine that hands the run back waits for this lock.
  await other.query("BEGIN");
  await other.query("SELECT 1 FROM runs WHERE id = 'run' FOR UPDATE");

  const handingBack = first.engine.maintain();
  const seen = async () => {
    const { rows } = await other.query("SELECT seen FROM machines WHERE id = 'first'");
    return Number(rows[0]?.seen);
  };
  const before = await vi.waitFor(async () => {
    const at = await seen();
    expect(at).toBeGreaterThan(0);
    return at;
  });
  await vi.waitFor(async () => expect(await seen()).toBeGreaterThan(before + 1_500), { timeout: 5_000 });
  await second.engine.maintain();
  await other.query("COMMIT");
  await handingBack;

  expect(await first.engine.run(run.run_id)).toMatchObject({ status: "queued" });
  const { rows } = await other.query("SELECT id FROM machines ORDER BY id");
  expect(rows.map(({ id }) => id as string)).toEqual(["first", "second"]);
});

async function openMachine(url: string, machine: string) {
  const database = { url, listenUrl: url, pool: 4 };
  const dataDir = "/tmp/evenkeel-postgres-test";
  const limits = { queued: 100 };
  const engine = await openEngine({ dataDir, durability: "normal", limits, database, machine, boot: "boot 1" });
  return { engine, [Symbol.asyncDispose]: () => engine.close() };
}

async function connected(url: string) {
  const client = new Client({ connectionString: url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}
