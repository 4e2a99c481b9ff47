/** Times of runs over a reboot of the machine. */
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { claimNext, enqueue } from "../contract/setup.ts";
import { DAY_MS } from "../contract/time.ts";
import { monotonicMs } from "./clock.ts";
import { openTemporary, type DataFolder } from "./test-data.ts";

const HOUR_MS = DAY_MS / 24;

test.each([
  ["the machine has been up for longer than it was then", -60_000],
  ["the machine has been up for less long than it was then", 60_000],
])("after a reboot a run has waited since its creation, also when %s", async (_title, mono) => {
  await using data = await openTemporary();
  await restart(data);
  const late = await enqueue(data.engine, { queueTimeoutMs: HOUR_MS });
  const patient = await enqueue(data.engine);
  reboot(data.folder, monotonicMs() + mono);

  await restart(data);
  // The clock of this boot passes the one of the earlier boot.
  if (mono > 0) moveBack(data.folder, 2 * mono);
  await data.engine.maintain();

  expect(await data.engine.run(late.run_id)).toMatchObject({ status: "failed", error: { code: "QUEUE_TIMEOUT" } });
  const { run } = await claimNext(data.engine);
  expect(run.run_id).toBe(patient.run_id);
  expect(Math.abs((run.started_at ?? 0) - Date.now())).toBeLessThan(HOUR_MS);
});

test("a restart of the server alone leaves the time of a run to the monotonic clock", async () => {
  await using data = await openTemporary();
  await restart(data);
  await enqueue(data.engine);
  // Somebody sets the wall clock a day ahead, so that this run seems to be of yesterday.
  ageBy(data.folder, DAY_MS);

  await restart(data);

  const { run } = await claimNext(data.engine);
  expect((run.started_at ?? 0) - run.created_at).toBeLessThan(HOUR_MS);
});

/** A new life of the server begins. */
function restart({ engine }: Awaited<ReturnType<typeof openTemporary>>): Promise<number> {
  return engine.release({ machine: "machine 1", exceptBoot: "boot 2" }, "gone");
}

/** All runs were created a day ago in another boot of the machine, when its monotonic clock said `mono`. */
function reboot({ dbPath }: DataFolder, mono: number): void {
  using db = new DatabaseSync(dbPath);
  db.prepare("UPDATE runs SET created_at = created_at - ?, created_mono = ?").run(DAY_MS, mono);
  db.exec("UPDATE lease_clock SET boot = 'another boot'");
}

function moveBack({ dbPath }: DataFolder, ms: number): void {
  using db = new DatabaseSync(dbPath);
  db.prepare("UPDATE runs SET created_mono = created_mono - ?").run(ms);
}

function ageBy({ dbPath }: DataFolder, ms: number): void {
  using db = new DatabaseSync(dbPath);
  db.prepare("UPDATE runs SET created_at = created_at - ?").run(ms);
}
