/** Enqueuing a run: durable, once, bounded, and in line with the other runs of its thread. */
import { expect, test, vi } from "vitest";
import type { NewRun } from "../../core/run.ts";
import type { Engine } from "../engine.ts";
import {
  claimNext,
  complete,
  enqueue,
  journalOf,
  LEASE_MS,
  newRun,
  numbersTo,
  start,
  stepOf,
  type OpenEngine,
  ownerOf,
  canceledOf,
  threadOf,
  typesOf,
} from "./setup.ts";

/** Time to claim a run before it is overdue. */
const SOON_MS = 2_000;
const WAITING = { timeout: 30_000 };
/** More runs than are ended at once. */
const LATE = 250;

export function testEnqueue(open: OpenEngine): void {
  testStored(open);
  testOnce(open);
  testBound(open);
  testStrategies(open);

  test("a run that waits in the queue beyond its limit fails with QUEUE_TIMEOUT; a claimed run does not", async () => {
    await using data = await open();
    const begun = await start(data.engine, { queueTimeoutMs: SOON_MS });
    const [impatient, patient] = [
      await enqueue(data.engine, { queueTimeoutMs: SOON_MS, threadId: "thread" }),
      await enqueue(data.engine, { queueTimeoutMs: 60_000 }),
    ];
    const next = await enqueue(data.engine, { threadId: "thread" });

    await vi.waitFor(async () => {
      await data.engine.maintain();
      expect((await data.engine.run(impatient.run_id))?.status).toBe("failed");
    }, WAITING);

    expect((await data.engine.run(impatient.run_id))?.error).toMatchObject({ code: "QUEUE_TIMEOUT" });
    expect((await typesOf(data.engine, impatient.run_id)).at(-1)).toBe("RUN_ERROR");
    expect((await data.engine.run(patient.run_id))?.status).toBe("queued");
    await data.engine.release({ owner: ownerOf("owner 1") }, "stopped");
    await data.engine.maintain();
    expect((await data.engine.run(begun.run.run_id))?.status).toBe("queued");
    // The next run of the thread takes its place.
    const claims = await data.engine.claim({ owner: ownerOf("owner 2"), limit: 10, leaseMs: LEASE_MS });
    expect(claims.map(({ run }) => run.run_id)).toContain(next.run_id);
  });

  test("no claim begins a run that has waited for too long, whether the upkeep has seen it or not", async () => {
    await using data = await open();
    await enqueueOverdue(data.engine, 3);
    const patient = await enqueue(data.engine, { queueTimeoutMs: 60_000 });

    const claims = await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS });

    expect(claims.map(({ run }) => run.run_id)).toEqual([patient.run_id]);
  });

  test("one look of the upkeep ends all runs that have waited for too long", async () => {
    await using data = await open();
    await enqueueOverdue(data.engine, LATE);

    await data.engine.maintain();

    expect(await data.engine.counts()).toEqual({ queued: 0, running: 0 });
    const { items } = await data.engine.runs({ limit: 2 * LATE, status: "failed" });
    expect(items).toHaveLength(LATE);
  });
}

/** Runs that have waited for longer than they may, and are still queued. */
async function enqueueOverdue(engine: Engine, count: number): Promise<void> {
  await Promise.all(numbersTo(count).map(() => enqueue(engine, { queueTimeoutMs: 1 })));
  const asked = Date.now();
  await vi.waitFor(() => expect(Date.now() - asked).toBeGreaterThan(10));
}

function testStored(open: OpenEngine): void {
  test("an enqueued run is there for every other handle on return", async () => {
    await using data = await open();
    const other = await data.another();
    const request = newRun({ timeoutMs: 1_000, metadata: { color: "blue", nested: [1, null] } });

    const { run, created } = await data.engine.enqueue(request);

    expect(created).toBe(true);
    expect(run).toMatchObject({
      run_id: request.runId,
      thread_id: request.threadId,
      agent_id: "assistant",
      status: "queued",
      started_at: null,
      finished_at: null,
      attempts: 0,
      steps: 0,
      reply: null,
      error: null,
      timeout_ms: 1_000,
      cancel_requested: false,
      metadata: { color: "blue", nested: [1, null] },
    });
    expect(await other.run(request.runId)).toEqual(run);
  });

  test("an enqueued run's message is in its thread, and its journal begins with RUN_STARTED", async () => {
    await using data = await open();
    const run = await enqueue(data.engine, { message: "how are you?" });

    const thread = await threadOf(data.engine, run.thread_id);
    expect(thread?.messages).toMatchObject([{ role: "user", content: "how are you?", run_id: run.run_id }]);
    expect(await journalOf(data.engine, run.run_id)).toMatchObject([
      { seq: 1, type: "RUN_STARTED", runId: run.run_id, threadId: run.thread_id },
      { seq: 2, type: "CUSTOM", name: "evenkeel.queued", value: { agent_id: "assistant", ahead: 0 } },
    ]);
  });
}

function testOnce(open: OpenEngine): void {
  test("a repeated run id that the client chose returns the first run", async () => {
    await using data = await open();
    const request = newRun({ runId: "my-run", runIdChosen: true });
    const first = await data.engine.enqueue(request);

    const again = await data.engine.enqueue({ ...request, threadId: "another-thread" });

    expect(again).toEqual({ run: first.run, created: false });
    expect(await journalOf(data.engine, "my-run")).toHaveLength(2);
    expect(await threadOf(data.engine, "another-thread")).toBeUndefined();
  });

  test("a chosen run id with a different request is refused as RUN_ID_TAKEN", async () => {
    await using data = await open();
    const request = newRun({ runId: "my-run", runIdChosen: true });
    await data.engine.enqueue(request);

    const other = data.engine.enqueue({ ...request, fingerprint: "body 2" });

    await expect(other).rejects.toMatchObject({ code: "RUN_ID_TAKEN" });
  });

  test("a repeated Idempotency-Key returns the first run, also when it is over", async () => {
    await using data = await open();
    const claim = await start(data.engine, { idempotencyKey: "key" });
    await complete(data.engine, claim);

    const again = await data.engine.enqueue(newRun({ idempotencyKey: "key" }));

    const { run_id } = claim.run;
    expect(again).toMatchObject({ created: false, run: { run_id, status: "completed", reply: "done" } });
  });

  test("an Idempotency-Key with a different request is refused as IDEMPOTENCY_MISMATCH", async () => {
    await using data = await open();
    await enqueue(data.engine, { idempotencyKey: "key" });

    const other = data.engine.enqueue(newRun({ idempotencyKey: "key", fingerprint: "body 2" }));

    await expect(other).rejects.toMatchObject({ code: "IDEMPOTENCY_MISMATCH" });
  });

  test("one Idempotency-Key of two principals is two runs", async () => {
    await using data = await open();
    const ana = await data.engine.enqueue(newRun({ idempotencyKey: "key", principal: "ana" }));
    const ben = await data.engine.enqueue(newRun({ idempotencyKey: "key", principal: "ben", fingerprint: "body 2" }));

    expect([ana.created, ben.created]).toEqual([true, true]);
    expect(ben.run.run_id).not.toBe(ana.run.run_id);
  });

  test.each<[string, Partial<NewRun>]>([
    ["Idempotency-Keys", { idempotencyKey: "key" }],
    ["chosen run ids", { runId: "my-run", runIdChosen: true }],
  ])("100 equal %s at once over two handles make one run", async (_name, name) => {
    await using data = await open();
    const other = await data.another();

    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? data.engine : other).enqueue(newRun(name))),
    );

    expect(new Set(answers.map(({ run }) => run.run_id)).size).toBe(1);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(await data.engine.counts()).toMatchObject({ queued: 1 });
  });
}

function testBound(open: OpenEngine): void {
  test("a run beyond the bound of the queue is refused as OVERLOADED until another was claimed", async () => {
    await using data = await open({ queued: 2 });
    await enqueue(data.engine);
    await enqueue(data.engine);
    const third = newRun();

    await expect(data.engine.enqueue(third)).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(await data.engine.run(third.runId)).toBeUndefined();

    await claimNext(data.engine);
    await expect(data.engine.enqueue(third)).resolves.toMatchObject({ created: true });
  });

  test("the bound holds for many requests at once over two handles", async () => {
    await using data = await open({ queued: 5 });
    const other = await data.another();

    const answers = await Promise.allSettled(
      Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? data.engine : other).enqueue(newRun())),
    );

    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
    expect(await data.engine.counts()).toMatchObject({ queued: 5 });
  });

  test("a principal's run beyond its own bound is refused until another of its runs was claimed", async () => {
    await using data = await open();
    const own = { principal: "ana", queuedAtMost: 2 };
    const first = newRun({ ...own, idempotencyKey: "key" });
    await data.engine.enqueue(first);
    await data.engine.enqueue(newRun(own));
    const third = newRun(own);

    await expect(data.engine.enqueue(third)).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS" });
    expect(await data.engine.run(third.runId)).toBeUndefined();
    await expect(data.engine.enqueue(first)).resolves.toMatchObject({ created: false });
    await expect(data.engine.enqueue(newRun({ ...own, principal: "bob" }))).resolves.toMatchObject({ created: true });

    await claimNext(data.engine);
    await expect(data.engine.enqueue(third)).resolves.toMatchObject({ created: true });
  });

  test("a principal's bound holds for many requests at once over two handles", async () => {
    await using data = await open();
    const other = await data.another();

    const answers = await Promise.allSettled(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? data.engine : other).enqueue(newRun({ queuedAtMost: 5 })),
      ),
    );

    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
  });

  test("a repeat is answered although the queue is full", async () => {
    await using data = await open({ queued: 1 });
    const run = await enqueue(data.engine, { idempotencyKey: "key" });

    const again = await data.engine.enqueue(newRun({ idempotencyKey: "key" }));

    expect(again).toEqual({ run, created: false });
  });
}

function testStrategies(open: OpenEngine): void {
  test("strategy enqueue waits behind the thread's run", async () => {
    await using data = await open();
    const first = await start(data.engine, { threadId: "thread" });
    const second = await enqueue(data.engine, { threadId: "thread", strategy: "enqueue" });

    expect(await claimable(data.engine)).toEqual([]);
    await complete(data.engine, first);
    expect(await claimable(data.engine)).toEqual([second.run_id]);
  });

  test.each(["queued", "running"])("strategy reject refuses while a run of the thread is %s", async (status) => {
    await using data = await open();
    const first = await enqueue(data.engine, { threadId: "thread" });
    if (status === "running") await claimNext(data.engine);
    const second = newRun({ threadId: "thread", strategy: "reject" });

    await expect(data.engine.enqueue(second)).rejects.toMatchObject({ code: "THREAD_BUSY" });

    expect(await data.engine.run(second.runId)).toBeUndefined();
    const thread = await threadOf(data.engine, "thread");
    expect(thread?.messages.map(({ run_id }) => run_id)).toEqual([first.run_id]);
  });

  test("strategy reject accepts once the thread's run is over", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "thread" }));

    const second = await data.engine.enqueue(newRun({ threadId: "thread", strategy: "reject" }));

    expect(second.created).toBe(true);
  });

  test("a repeat under strategy reject returns the run that made the thread busy", async () => {
    await using data = await open();
    const request = newRun({ strategy: "reject", idempotencyKey: "key" });
    const { run } = await data.engine.enqueue(request);

    expect(await data.engine.enqueue(request)).toEqual({ run, created: false });
  });

  test("strategy interrupt cancels what is queued, asks for the end of what runs, and comes next", async () => {
    await using data = await open();
    const running = await start(data.engine, { threadId: "thread" });
    const queued = await enqueue(data.engine, { threadId: "thread" });

    const third = await enqueue(data.engine, { threadId: "thread", strategy: "interrupt" });

    expect(await data.engine.run(queued.run_id)).toMatchObject({ status: "canceled" });
    expect(await canceledOf(data.engine, "owner 1")).toEqual([running.run.run_id]);
    expect(await claimable(data.engine)).toEqual([]);
    await data.engine.settle(stepOf(running), { status: "canceled" });
    expect(await claimable(data.engine)).toEqual([third.run_id]);
  });

  test("strategy interrupt leaves other threads alone", async () => {
    await using data = await open();
    const bystander = await enqueue(data.engine, { threadId: "other" });

    await enqueue(data.engine, { threadId: "thread", strategy: "interrupt" });

    expect(await data.engine.run(bystander.run_id)).toEqual(bystander);
  });
}

/** Claims every run that can be claimed. */
async function claimable(engine: Engine): Promise<string[]> {
  const claims = await engine.claim({ owner: ownerOf("owner 2"), limit: 100, leaseMs: LEASE_MS });
  return claims.map(({ run }) => run.run_id);
}
