/** What several machines on one database tell each other. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { REPORT_KEPT_MS } from "../../core/limits.ts";
import type { Engine } from "../engine.ts";
import { openEngine } from "../open.ts";
import { databases } from "./test-data.ts";

const { postgres } = databases();
/** Larger than the report of a server of 4 workers and 2 agents, and harder to compress. */
const REPORT = JSON.stringify(
  Array.from({ length: 7 }, (_, id) => ({
    id,
    ...Object.fromEntries(Array.from({ length: 30 }, (_, gauge) => [`some_gauge_${gauge}`, Math.sin(id * 30 + gauge)])),
  })),
);

test("a machine reads the others' last reports and not its own, until they are taken back", async () => {
  await using machines = await openMachines("a", "b", "c");
  const [a, b, c] = machines.all as [Engine, Engine, Engine];

  expect(await a.exchangeReports("a 1")).toEqual([]);
  await c.exchangeReports("c 1");
  await c.exchangeReports("c 2");
  const seen = await b.exchangeReports("b 1");

  expect(seen.map(({ machine, report }) => [machine, report])).toEqual([
    ["a", "a 1"],
    ["c", "c 2"],
  ]);
  for (const { ageMs } of seen) expect(ageMs).toBeLessThan(5_000);
  expect((await c.exchangeReports(null)).map(({ machine }) => machine)).toEqual(["a", "b"]);
  expect((await a.exchangeReports("a 2")).map(({ machine }) => machine)).toEqual(["b"]);
});

test("the report of a machine that fell silent is forgotten after a while", async () => {
  await using machines = await openMachines("a", "b");
  const [a, b] = machines.all as [Engine, Engine];
  await b.exchangeReports("b 1");
  const age = (ms: number) => machines.sql(`UPDATE machine_reports SET at = at - ${ms} WHERE machine = 'b'`);

  await age(REPORT_KEPT_MS / 2);
  expect(await a.exchangeReports("a 1")).toMatchObject([{ machine: "b", report: "b 1" }]);
  await age(REPORT_KEPT_MS / 2);
  expect(await a.exchangeReports("a 2")).toEqual([]);
});

test("reports take no more room, however often they are replaced", async () => {
  await using machines = await openMachines("a", "b", "c");
  // Without a vacuum, so that only the writes themselves clear away what they replace.
  await machines.sql("ALTER TABLE machine_reports SET (autovacuum_enabled = off)");
  const bytes = async () => {
    const { rows } = await machines.sql("SELECT pg_total_relation_size('machine_reports') AS bytes");
    return Number(rows[0]?.bytes);
  };
  const report = async (times: number) => {
    for (let n = 0; n < times; n += 1) {
      await Promise.all(machines.all.map((engine) => engine.exchangeReports(`${REPORT}${n}`)));
    }
  };

  await report(30);
  const before = await bytes();
  await report(200);

  expect(await bytes()).toBeLessThanOrEqual(before + 64 * 1024);
  expect(before).toBeLessThan(256 * 1024);
});

async function openMachines(...names: readonly string[]) {
  const server = await postgres();
  const name = await server.createDatabase();
  const url = server.url(name);
  const dataDir = await mkdtemp(join(tmpdir(), "evenkeel-reports-"));
  const storage = { dataDir, durability: "normal", limits: { queued: 100 } } as const;
  const database = { url, listenUrl: url, pool: 2 };
  const all: Engine[] = [];
  for (const machine of names) all.push(await openEngine({ ...storage, database, machine, boot: "boot 1" }));
  return {
    all,
    sql: (text: string) => server.admin(text, name),
    [Symbol.asyncDispose]: async () => {
      for (const engine of all) await engine.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
