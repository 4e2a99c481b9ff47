/** Claims: each run goes to one owner, in order, for a limited time. */
import { expect, onTestFinished, test, vi } from "vitest";
import type { Outcome } from "../../core/run.ts";
import type { Claim, Engine } from "../engine.ts";
import {
  claimNext,
  complete,
  enqueue,
  journalOf,
  LEASE_MS,
  start,
  stepOf,
  type OpenEngine,
  ownerOf,
  claimExpired,
  delta,
} from "./setup.ts";

export function testClaim(open: OpenEngine): void {
  testTaking(open);
  testThreadOrder(open);
  testLeases(open);

  test("claims go round the principals: one client's many runs hold up nobody else's one", async () => {
    await using data = await open();
    for (let index = 0; index < 6; index += 1) await enqueue(data.engine, { runId: `ana ${index}`, principal: "ana" });
    await data.engine.claim({ owner: ownerOf("owner 1"), limit: 2, leaseMs: LEASE_MS });
    for (let index = 0; index < 2; index += 1) await enqueue(data.engine, { runId: `bob ${index}`, principal: "bob" });
    await enqueue(data.engine, { runId: "cid 0", principal: "cid" });

    const claims = await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS });

    expect(claims.map(({ run }) => run.run_id)).toEqual([
      "ana 2",
      "bob 0",
      "cid 0",
      "ana 3",
      "bob 1",
      "ana 4",
      "ana 5",
    ]);
  });

  test("who has two runs waiting is not held up by others who come one after the other", async () => {
    await using data = await open();
    for (const runId of ["ana 0", "ana 1"]) await enqueue(data.engine, { runId, principal: "ana" });
    const claimed: string[] = [];
    for (const principal of ["bob", "cid", "dan", "eve"]) {
      await enqueue(data.engine, { principal });
      claimed.push((await claimNext(data.engine)).run.run_id);
    }
    expect(claimed).toContain("ana 1");
  });

  test("runs that were delegated put their principal's own ones no further back", async () => {
    await using data = await open();
    await start(data.engine, { runId: "parent", principal: "ana" });
    for (let index = 0; index < 3; index += 1) await enqueue(data.engine, { parentRunId: "parent" });
    await enqueue(data.engine, { runId: "ana 0", principal: "ana" });
    for (const runId of ["bob 0", "bob 1"]) await enqueue(data.engine, { runId, principal: "bob" });

    const claims = await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS });
    expect(idsOf(claims).slice(3)).toEqual(["ana 0", "bob 0", "bob 1"]);
  });

  test("who comes after the claim of a delegated run does not overtake those who wait", async () => {
    await using data = await open();
    for (const runId of ["ana 0", "ana 1", "ana 2"]) await enqueue(data.engine, { runId, principal: "ana" });
    await data.engine.claim({ owner: ownerOf("owner 1"), limit: 2, leaseMs: LEASE_MS });
    await enqueue(data.engine, { runId: "child", parentRunId: "ana 0" });
    expect((await claimNext(data.engine)).run.run_id).toBe("child");
    await enqueue(data.engine, { runId: "bob 0", principal: "bob" });

    const claims = await data.engine.claim({ owner: ownerOf("owner 1"), limit: 2, leaseMs: LEASE_MS });

    expect(idsOf(claims)).toEqual(["ana 2", "bob 0"]);
  });

  test("a run that is handed back is the next of its round, before runs that came later", async () => {
    await using data = await open();
    const first = await start(data.engine, { principal: "ana" });
    for (let index = 0; index < 3; index += 1) await enqueue(data.engine, { principal: "bob" });
    await data.engine.release({ owner: ownerOf("owner 1") }, "stopped");

    expect((await claimNext(data.engine)).run.run_id).toBe(first.run.run_id);
  });
}

function testTaking(open: OpenEngine): void {
  test("a claim on an empty queue is empty", async () => {
    await using data = await open();
    expect(await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS })).toEqual([]);
  });

  test("a claim takes the oldest runs first, and not more than its limit", async () => {
    await using data = await open();
    const runs = [await enqueue(data.engine), await enqueue(data.engine), await enqueue(data.engine)];

    const claims = await data.engine.claim({ owner: ownerOf("owner 1"), limit: 2, leaseMs: LEASE_MS });

    expect(idsOf(claims)).toEqual(runs.slice(0, 2).map(({ run_id }) => run_id));
    expect(await data.engine.run(runs[2]?.run_id ?? "")).toMatchObject({ status: "queued" });
  });

  test("a claimed run is running for everybody, and its journal says who took it", async () => {
    await using data = await open();
    const { run } = await start(data.engine, { owner: "owner 7" });
    const other = await data.another();

    expect(run).toMatchObject({ status: "running", attempts: 1, started_at: expect.any(Number) });
    expect(await other.run(run.run_id)).toEqual(run);
    expect(await journalOf(other, run.run_id)).toMatchObject([
      { type: "RUN_STARTED" },
      { name: "evenkeel.queued" },
      { name: "evenkeel.claimed", value: { owner: "owner 7", attempt: 1 } },
    ]);
  });

  test("two handles that claim at once never get the same run", async () => {
    await using data = await open();
    const other = await data.another();
    const runs = await Promise.all(Array.from({ length: 300 }, () => enqueue(data.engine)));

    const claims = await Promise.all([
      claimAll(data.engine, "owner 1"),
      claimAll(other, "owner 2"),
      claimAll(data.engine, "owner 3"),
    ]);

    const claimed = idsOf(claims.flat());
    expect(claimed).toHaveLength(300);
    expect(new Set(claimed)).toEqual(new Set(runs.map(({ run_id }) => run_id)));
  });

  test("counts tell how many runs wait and how many are under way", async () => {
    await using data = await open();
    await start(data.engine);
    await enqueue(data.engine);
    await enqueue(data.engine);

    expect(await data.engine.counts()).toEqual({ queued: 2, running: 1 });
  });

  test("counts forget runs that are over", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine));

    expect(await data.engine.counts()).toEqual({ queued: 0, running: 0 });
  });
}

function testThreadOrder(open: OpenEngine): void {
  const ends: Outcome[] = [
    { status: "completed", reply: "done" },
    { status: "failed", error: { code: "MODEL_UNAVAILABLE", detail: "no answer" } },
    { status: "canceled" },
  ];
  test.each(ends)("one run of a thread is under way at a time: the next follows when it $status", async (outcome) => {
    await using data = await open();
    const first = await enqueue(data.engine, { threadId: "thread" });
    const second = await enqueue(data.engine, { threadId: "thread" });
    const third = await enqueue(data.engine, { threadId: "thread" });

    for (const run of [first, second, third]) {
      const claims = await claimAll(data.engine, "owner 1");
      expect(idsOf(claims)).toEqual([run.run_id]);
      await data.engine.settle(stepOf(claims[0] as Claim), outcome);
    }
  });

  test("two handles that claim at once never run one thread twice", async () => {
    await using data = await open();
    const other = await data.another();
    for (let turn = 0; turn < 3; turn += 1) {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) => enqueue(data.engine, { threadId: `thread-${index}` })),
      );
    }

    const claims = await Promise.all([claimAll(data.engine, "owner 1"), claimAll(other, "owner 2")]);

    const threads = claims.flat().map(({ run }) => run.thread_id);
    expect(threads).toHaveLength(20);
    expect(new Set(threads).size).toBe(20);
  });

  test("canceling a run in the middle of the line keeps the order of the others", async () => {
    await using data = await open();
    const first = await enqueue(data.engine, { threadId: "thread" });
    const second = await enqueue(data.engine, { threadId: "thread" });
    const third = await enqueue(data.engine, { threadId: "thread" });

    await data.engine.cancel(second.run_id);

    const claim = await claimNext(data.engine);
    expect(claim.run.run_id).toBe(first.run_id);
    expect(await claimAll(data.engine, "owner 1")).toEqual([]);
    await complete(data.engine, claim);
    expect(idsOf(await claimAll(data.engine, "owner 1"))).toEqual([third.run_id]);
  });

  test("a thread that waits does not hold up the runs of others behind it", async () => {
    await using data = await open();
    await start(data.engine, { threadId: "thread" });
    await enqueue(data.engine, { threadId: "thread" });
    const other = await enqueue(data.engine, { threadId: "other" });

    expect(idsOf(await claimAll(data.engine, "owner 2"))).toEqual([other.run_id]);
  });
}

function testLeases(open: OpenEngine): void {
  test("a run whose lease ran out is claimed anew under a higher fence", async () => {
    await using data = await open();
    const other = await data.another();
    const run = await enqueue(data.engine);
    const first = await claimNext(data.engine, { owner: "owner 1", leaseMs: 1 });

    const second = await claimExpired(other, { owner: "owner 2" });

    expect(second.run).toMatchObject({ run_id: run.run_id, status: "running", attempts: 2 });
    expect(second.fence).toBeGreaterThan(first.fence);
    const late = { owner: ownerOf("owner 1"), runIds: [run.run_id], leaseMs: LEASE_MS };
    expect(await data.engine.extend(late)).toEqual(new Map());
  });

  test("a run whose lease holds is claimed by nobody else", async () => {
    await using data = await open();
    await start(data.engine);

    expect(await claimAll(await data.another(), "owner 2")).toEqual([]);
  });

  test("extend renews the leases it is asked to, of its owner, and no others", async () => {
    await using data = await open();
    const kept = await enqueue(data.engine);
    await claimNext(data.engine, { owner: "owner 1", leaseMs: 1 });
    const left = await enqueue(data.engine);
    await claimNext(data.engine, { owner: "owner 1", leaseMs: 1 });
    const asked = { owner: ownerOf("owner 1"), runIds: [kept.run_id], leaseMs: LEASE_MS };
    expect(await data.engine.extend(asked)).toEqual(new Map([[kept.run_id, { cancelRequested: false }]]));

    // Nobody extends the second lease, so it runs out.
    const taken = await claimExpired(data.engine, { owner: "owner 3" });
    expect(taken.run.run_id).toBe(left.run_id);
    expect(await claimAll(data.engine, "owner 3")).toEqual([]);
  });

  test("extend returns the runs that are still owned, not those that ended", async () => {
    await using data = await open();
    const ended = await start(data.engine);
    const owned = [await start(data.engine), await start(data.engine)];
    await complete(data.engine, ended);

    const runIds = idsOf([ended, ...owned]);

    const mine = await data.engine.extend({ owner: ownerOf("owner 1"), runIds, leaseMs: LEASE_MS });
    expect([...mine.keys()].toSorted()).toEqual(idsOf(owned).toSorted());
    expect(await data.engine.extend({ owner: ownerOf("nobody"), runIds, leaseMs: LEASE_MS })).toEqual(new Map());
  });

  test.each([3_600_000, -3_600_000])("a clock that is set by %i ms lets no lease run out", async (stepMs) => {
    await using data = await open();
    await start(data.engine);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + stepMs });
    onTestFinished(() => void vi.useRealTimers());

    await data.engine.maintain();

    expect(await claimAll(data.engine, "owner 2")).toEqual([]);
  });

  test("a write renews the lease of its run", async () => {
    await using data = await open();
    await enqueue(data.engine);
    const claim = await claimNext(data.engine, { leaseMs: 400 });
    const startedAt = performance.now();

    while (performance.now() - startedAt < 1_000) {
      await data.engine.append(stepOf(claim, { events: [delta("a")], messages: [] }));
      await data.engine.maintain();
      expect(await claimAll(data.engine, "owner 2")).toEqual([]);
    }

    await claimExpired(data.engine, { owner: "owner 2" });
  });

  test("a run tells its next owner how long earlier ones have worked on it, by what passed", async () => {
    await using data = await open();
    const first = await start(data.engine);
    expect(first.spentMs).toBe(0);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());
    await new Promise((resolve) => setTimeout(resolve, 20));
    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");

    const { spentMs } = await claimNext(data.engine);

    expect(spentMs).toBeGreaterThanOrEqual(15);
    expect(spentMs).toBeLessThan(10_000);
  });

  test.each([3_600_000, -3_600_000])("a clock that is set by %i ms makes no duration wrong", async (stepMs) => {
    await using data = await open();
    const claim = await start(data.engine);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + stepMs });
    onTestFinished(() => void vi.useRealTimers());

    await complete(data.engine, claim);

    const { created_at: created, finished_at: finished } = (await data.engine.run(claim.run.run_id)) ?? claim.run;
    expect((finished ?? 0) - created).toBeGreaterThanOrEqual(0);
    expect((finished ?? 0) - created).toBeLessThan(10_000);
  });
}

async function claimAll(engine: Engine, owner: string): Promise<Claim[]> {
  const all: Claim[] = [];
  for (;;) {
    const claims = await engine.claim({ owner: ownerOf(owner), limit: 7, leaseMs: LEASE_MS });
    if (claims.length === 0) return all;
    all.push(...claims);
  }
}

function idsOf(claims: readonly Claim[]): string[] {
  return claims.map(({ run }) => run.run_id);
}
