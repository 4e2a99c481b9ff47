/** The lease clock over a pause, and times of runs over a reboot of the machine. */
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test, vi } from "vitest";
import { claimNext, enqueue } from "../contract/setup.ts";
import { DAY_MS } from "../contract/time.ts";
import { LeaseClock, monotonicMs } from "./clock.ts";
import { migrate } from "./schema.ts";
import { openTemporary, type DataFolder } from "./test-data.ts";

const HOUR_MS = DAY_MS / 24;

test.each([
  { passedMs: 0, movedMs: 0 },
  { passedMs: 1_000, movedMs: 1_000 },
  { passedMs: 2_000, movedMs: 2_000 },
  { passedMs: 2_001, movedMs: 2_000 },
  { passedMs: HOUR_MS, movedMs: 2_000 },
])("$passedMs ms after the last tick a tick moves the lease clock by $movedMs ms", async ({ passedMs, movedMs }) => {
  using opened = openClock();

  vi.advanceTimersByTime(passedMs);
  await opened.clock.tick();

  expect(opened.read()).toEqual(movedMs);
});

test("time in which no run was under way does not move the lease clock", async () => {
  using opened = openClock();

  vi.advanceTimersByTime(1_000);
  opened.clock.skip();
  vi.advanceTimersByTime(500);
  await opened.clock.tick();

  expect(opened.read()).toEqual(500);
});

test.each([
  ["the machine has been up for longer than it was then", -60_000, "another boot"],
  ["the machine has been up for less long than it was then", 60_000, "another boot"],
  ["it has been up for less long, and the kernel does not tell boots apart", 60_000, undefined],
])("after a reboot a run has waited since its creation, also when %s", async (_title, mono, boot) => {
  await using data = await openTemporary();
  await restart(data);
  const late = await enqueue(data.engine, { queueTimeoutMs: HOUR_MS });
  const patient = await enqueue(data.engine);
  reboot(data.folder, { mono: monotonicMs() + mono, boot });

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

/** A lease clock that has not moved yet. Time passes only by `vi.advanceTimersByTime`. */
function openClock() {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const db = new DatabaseSync(":memory:");
  migrate(db);
  const read = () => db.prepare("SELECT ms FROM lease_clock").get()?.["ms"];
  return { clock: new LeaseClock(db), read, [Symbol.dispose]: () => db.close() };
}

/** A new life of the server begins. */
function restart({ engine }: Awaited<ReturnType<typeof openTemporary>>): Promise<number> {
  return engine.release({ machine: "machine 1", exceptBoot: "boot 2" }, "gone");
}

/**
 * All runs were created a day ago in another boot of the machine, when its monotonic clock said `mono`. Without `boot` the
 * kernel gives both boots the same name.
 */
function reboot({ dbPath }: DataFolder, { mono, boot }: { mono: number; boot: string | undefined }): void {
  using db = new DatabaseSync(dbPath);
  db.prepare("UPDATE runs SET created_at = created_at - ?, created_mono = ?").run(DAY_MS, mono);
  if (boot !== undefined) db.prepare("UPDATE lease_clock SET boot = ?").run(boot);
}

function moveBack({ dbPath }: DataFolder, ms: number): void {
  using db = new DatabaseSync(dbPath);
  db.prepare("UPDATE runs SET created_mono = created_mono - ?").run(ms);
}

function ageBy({ dbPath }: DataFolder, ms: number): void {
  using db = new DatabaseSync(dbPath);
  db.prepare("UPDATE runs SET created_at = created_at - ?").run(ms);
}
