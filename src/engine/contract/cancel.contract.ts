/** Canceling a run, in each state that the run can be in. */
import { expect, test, vi } from "vitest";
import {
  claimNext,
  complete,
  enqueue,
  journalOf,
  LEASE_MS,
  start,
  stepOf,
  typesOf,
  type OpenEngine,
  ownerOf,
  canceledOf,
} from "./setup.ts";

export function testCancel(open: OpenEngine): void {
  testAtOnce(open);
  testRunning(open);
  testOwnerGone(open);
}

function testAtOnce(open: OpenEngine): void {
  test("a queued run is canceled on return, and never claimed", async () => {
    await using data = await open();
    const run = await enqueue(data.engine);

    const canceled = await data.engine.cancel(run.run_id);

    expect(canceled).toMatchObject({ run_id: run.run_id, status: "canceled", finished_at: expect.any(Number) });
    expect(await data.engine.run(run.run_id)).toEqual(canceled);
    expect((await journalOf(data.engine, run.run_id)).at(-1)).toMatchObject({
      type: "RUN_FINISHED",
      outcome: { type: "cancelled" },
    });
    expect(await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS })).toEqual([]);
  });

  test("the next of a thread follows a queued run that was canceled", async () => {
    await using data = await open();
    const first = await enqueue(data.engine, { threadId: "thread" });
    const second = await enqueue(data.engine, { threadId: "thread" });

    await data.engine.cancel(first.run_id);

    expect((await claimNext(data.engine)).run.run_id).toBe(second.run_id);
  });

  test("a run that waits for its next attempt is canceled on return", async () => {
    await using data = await open();
    const { run } = await start(data.engine);
    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");

    expect(await data.engine.cancel(run.run_id)).toMatchObject({ status: "canceled", attempts: 1 });
    expect(await data.engine.claim({ owner: ownerOf("owner 2"), limit: 10, leaseMs: LEASE_MS })).toEqual([]);
  });

  test("a run that is over is returned as it is", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await complete(data.engine, claim);
    const over = await data.engine.run(claim.run.run_id);
    const journal = await journalOf(data.engine, claim.run.run_id);

    expect(await data.engine.cancel(claim.run.run_id)).toEqual(over);
    expect(await journalOf(data.engine, claim.run.run_id)).toEqual(journal);
  });

  test("canceling a run that does not exist returns undefined", async () => {
    await using data = await open();
    expect(await data.engine.cancel("nobody")).toBeUndefined();
  });

  test("20 cancels at once over two handles end a queued run once", async () => {
    await using data = await open();
    const other = await data.another();
    const { run_id: runId } = await enqueue(data.engine);

    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? data.engine : other).cancel(runId)),
    );

    expect(answers).toEqual(answers.map(() => answers[0]));
    expect(await typesOf(data.engine, runId)).toEqual(["RUN_STARTED", "evenkeel.queued", "RUN_FINISHED"]);
  });
}

function testRunning(open: OpenEngine): void {
  test("a running run goes on until its owner, who is told, settles it", async () => {
    await using data = await open();
    const other = await data.another();
    const claim = await start(data.engine);
    expect(await canceledOf(data.engine, "owner 1")).toEqual([]);

    const asked = await other.cancel(claim.run.run_id);

    expect(asked).toMatchObject({ status: "running", cancel_requested: true, finished_at: null });
    expect(await canceledOf(data.engine, "owner 1")).toEqual([claim.run.run_id]);
    await data.engine.settle(stepOf(claim), { status: "canceled" });
    expect(await other.run(claim.run.run_id)).toMatchObject({ status: "canceled" });
  });

  test("cancel requests come to the owner of the run, and only until it is settled", async () => {
    await using data = await open();
    const mine = await start(data.engine, { owner: "owner 1" });
    const other = await start(data.engine, { owner: "owner 2" });
    await data.engine.cancel(mine.run.run_id);
    await data.engine.cancel(other.run.run_id);

    expect(await canceledOf(data.engine, "owner 1")).toEqual([mine.run.run_id]);
    await data.engine.settle(stepOf(mine), { status: "canceled" });
    expect(await canceledOf(data.engine, "owner 1")).toEqual([]);
  });

  test("asking twice for the end of a running run is asking once", async () => {
    await using data = await open();
    const { run } = await start(data.engine);

    const first = await data.engine.cancel(run.run_id);
    const second = await data.engine.cancel(run.run_id);

    expect(second).toEqual(first);
    expect(await canceledOf(data.engine, "owner 1")).toEqual([run.run_id]);
    expect(await typesOf(data.engine, run.run_id)).not.toContain("RUN_FINISHED");
  });

  test("an owner that finished before it was told of the cancel completes its run", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.cancel(claim.run.run_id);

    await complete(data.engine, claim);

    expect(await data.engine.run(claim.run.run_id)).toMatchObject({ status: "completed", reply: "done" });
  });
}

function testOwnerGone(open: OpenEngine): void {
  test.each(["crashed", "stopped", "gone"] as const)(
    "a run to be canceled whose owner is released (%s) is canceled",
    async (end) => {
      await using data = await open();
      const { run } = await start(data.engine, { threadId: "thread" });
      const next = await enqueue(data.engine, { threadId: "thread" });
      await data.engine.cancel(run.run_id);

      await data.engine.release({ owner: ownerOf("owner 1") }, end);

      expect(await data.engine.run(run.run_id)).toMatchObject({ status: "canceled" });
      expect(await typesOf(data.engine, run.run_id)).not.toContain("evenkeel.attempt");
      expect((await claimNext(data.engine)).run.run_id).toBe(next.run_id);
    },
  );

  test("a run to be canceled whose lease ran out is canceled instead of claimed", async () => {
    await using data = await open();
    const run = await enqueue(data.engine);
    const claim = await claimNext(data.engine, { leaseMs: 1 });
    await data.engine.append(stepOf(claim, { events: [{ type: "TEXT_MESSAGE_START", messageId: "msg_half" }] }));
    await data.engine.cancel(run.run_id);

    await vi.waitFor(
      async () => {
        await data.engine.maintain();
        expect(await data.engine.claim({ owner: ownerOf("owner 2"), limit: 1, leaseMs: 1 })).toEqual([]);
        expect(await data.engine.run(run.run_id)).toMatchObject({ status: "canceled" });
      },
      { interval: 5 },
    );
    const tail = (await journalOf(data.engine, run.run_id)).slice(-2);
    expect(tail).toMatchObject([
      { type: "TEXT_MESSAGE_END", messageId: "msg_half" },
      { type: "RUN_FINISHED", outcome: { type: "cancelled" } },
    ]);
  });
}
