/** Ownership: a run, a thread and their activities belong to the principal that made them. */
import { expect, test } from "vitest";
import { complete, enqueue, newRun, start, type OpenEngine } from "./setup.ts";

export function testPrincipal(open: OpenEngine): void {
  test("a run and its thread belong to the principal that made them, and a delegated run to its parent's", async () => {
    await using data = await open();
    const { run: parent } = await start(data.engine, { runId: "a", threadId: "t", principal: "ana" });
    await enqueue(data.engine, { runId: "child", threadId: "c", parentRunId: parent.run_id, principal: "bob" });

    expect(await data.engine.principalOf({ runId: "a" })).toBe("ana");
    expect(await data.engine.principalOf({ threadId: "t" })).toBe("ana");
    expect(await data.engine.principalOf({ runId: "child" })).toBe("ana");
    expect(await data.engine.principalOf({ threadId: "c" })).toBe("ana");
    expect(await data.engine.principalOf({ runId: "none" })).toBeUndefined();
    expect(await data.engine.principalOf({ threadId: "none" })).toBeUndefined();
  });

  test("runs, threads and activities are listed by owner", async () => {
    await using data = await open();
    for (const principal of ["ana", "bob"])
      for (const name of ["1", "2", "3"])
        await enqueue(data.engine, { runId: `${principal}${name}`, threadId: `${principal}${name}`, principal });
    await data.engine.post({ type: "notice", detail: {} });
    const filter = { limit: 2, principal: "ana" };

    const runs = await data.engine.runs(filter);
    const threads = await data.engine.threads(filter);
    const activities = await data.engine.activities(filter);
    const rest = await data.engine.threads({ ...filter, ...(threads.next !== null && { before: threads.next }) });
    const after = await data.engine.activitiesAfter(0, 10, "ana");

    expect(runs.items.map(({ run_id }) => run_id)).toEqual(["ana3", "ana2"]);
    expect(threads.items.map(({ thread_id }) => thread_id)).toEqual(["ana3", "ana2"]);
    expect(rest.items.map(({ thread_id }) => thread_id)).toEqual(["ana1"]);
    expect(activities.items.map(({ run_id }) => run_id)).toEqual(["ana3", "ana2"]);
    expect(after.map(({ principal, activity }) => [principal, activity.run_id])).toEqual([
      ["ana", "ana1"],
      ["ana", "ana2"],
      ["ana", "ana3"],
    ]);
  });

  test("who may use its own threads only is refused another's, and nothing is stored", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "t", principal: "ana" }));
    const asked = newRun({ threadId: "t", principal: "bob", onlyOwnThread: true });

    await expect(data.engine.enqueue(asked)).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });

    expect((await data.engine.runs({ threadId: "t", limit: 10 })).items).toHaveLength(1);
    expect((await data.engine.enqueue({ ...asked, principal: "ana" })).created).toBe(true);
    expect((await data.engine.enqueue({ ...asked, runId: "own", threadId: "new" })).created).toBe(true);
  });

  test("a principal has no more waiting runs than it may, whether it asks anew or retries", async () => {
    await using data = await open();
    const { engine } = data;
    const canceled: string[] = [];
    for (let n = 0; n < 20; n += 1) {
      const { run_id: runId } = await enqueue(engine);
      canceled.push(runId);
      await engine.cancel(runId);
    }
    const again = (of: string) => engine.retry({ of, runId: `again ${of}`, queuedAtMost: 5 });
    await enqueue(engine);

    const retries = await Promise.allSettled(canceled.map(again));

    const refusals = retries.flatMap((retry) => (retry.status === "rejected" ? [retry.reason as unknown] : []));
    expect(refusals).toHaveLength(16);
    for (const refusal of refusals) expect(refusal).toMatchObject({ code: "TOO_MANY_REQUESTS" });
    expect(await engine.counts()).toMatchObject({ queued: 5 });
    const anew = newRun({ queuedAtMost: 5 });
    await expect(engine.enqueue(anew)).rejects.toMatchObject({ code: "TOO_MANY_REQUESTS" });
    expect((await engine.enqueue({ ...anew, principal: "bob" })).created).toBe(true);
    const stored = canceled.filter((_, index) => retries[index]?.status === "fulfilled");
    expect(await Promise.all(stored.map(again))).toMatchObject(stored.map(() => ({ created: false })));
  });

  test("that a thread was deleted is an activity of its owner", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "t", principal: "ana" }));

    await data.engine.deleteThread("t");

    const own = await data.engine.activities({ limit: 1, principal: "ana" });
    expect(own.items).toMatchObject([{ type: "thread.deleted", detail: { thread_id: "t" } }]);
  });
}
