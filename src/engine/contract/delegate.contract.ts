/**
 * Runs that a run delegates: they are accepted under their parent, claimed first, ended with it, and listed through it.
 */
import { expect, test } from "vitest";
import { MAX_DELEGATED_RUNS, MAX_DELEGATION_DEPTH, type NewRun, type Outcome, type Run } from "../../core/run.ts";
import type { Engine } from "../engine.ts";
import {
  claimNext,
  complete,
  enqueue,
  journalOf,
  LEASE_MS,
  newRun,
  start,
  stepOf,
  type OpenEngine,
  ownerOf,
  canceledOf,
  threadOf,
} from "./setup.ts";

const ENDS: readonly Outcome[] = [
  { status: "completed", reply: "done" },
  { status: "failed", error: { code: "MODEL_UNAVAILABLE", detail: "no answer" } },
  { status: "canceled" },
];

export function testDelegate(open: OpenEngine): void {
  testChild(open);
  testRefused(open);
  testRepeat(open);
  testClaimedFirst(open);
  testCanceledTogether(open);
  testLists(open);
}

function testChild(open: OpenEngine): void {
  test("a delegated run names its parent, and a client's own run has none", async () => {
    await using data = await open();
    const parent = await start(data.engine);

    const child = await delegate(data.engine, parent.run);

    expect(parent.run.parent_run_id).toBeNull();
    expect(child).toMatchObject({ status: "queued", parent_run_id: parent.run.run_id });
    expect(await (await data.another()).run(child.run_id)).toEqual(child);
    expect((await claimNext(data.engine)).run.parent_run_id).toBe(parent.run.run_id);
  });

  test("a delegated run belongs to the principal of its parent, whoever asks", async () => {
    await using data = await open();
    const parent = await start(data.engine, { principal: "ana" });
    const request = newRun({ parentRunId: parent.run.run_id, principal: "somebody", idempotencyKey: "key" });

    const { run } = await data.engine.enqueue(request);

    // A key is unique within one principal: the same principal finds the run by it, another principal does not.
    const byAna = await data.engine.enqueue(newRun({ principal: "ana", idempotencyKey: "key" }));
    expect(byAna).toEqual({ run, created: false });
    expect(await data.engine.enqueue(request)).toEqual({ run, created: false });
    expect(await data.engine.enqueue({ ...request, parentRunId: null, runId: "other" })).toMatchObject({
      created: true,
    });
  });

  test("a delegated run is taken in although the queue is full, and counts as waiting", async () => {
    await using data = await open({ queued: 1 });
    const parent = await start(data.engine);
    await enqueue(data.engine);

    const child = await delegate(data.engine, parent.run);

    expect(child).toMatchObject({ status: "queued" });
    expect(await data.engine.counts()).toMatchObject({ queued: 2 });
    await expect(data.engine.enqueue(newRun())).rejects.toMatchObject({ code: "OVERLOADED" });
  });

  test("a delegated run is told how many delegated ones are ahead of it", async () => {
    await using data = await open();
    const parent = await start(data.engine);
    await enqueue(data.engine);
    await delegate(data.engine, parent.run);

    const second = await delegate(data.engine, parent.run);

    const [, queued] = await journalOf(data.engine, second.run_id);
    expect(queued).toMatchObject({ name: "evenkeel.queued", value: { ahead: 1 } });
  });
}

function testRefused(open: OpenEngine): void {
  test("a run of a parent that does not exist is refused as RUN_NOT_FOUND with the parent's id", async () => {
    await using data = await open();

    const refusal = await refusalOf(data.engine, { parentRunId: "nobody" });

    expect(refusal).toMatchObject({ code: "RUN_NOT_FOUND", message: says("nobody") });
  });

  test("runs are delegated down to the greatest depth, and one below it is refused", async () => {
    await using data = await open();
    const line = await lineOf(data.engine, MAX_DELEGATION_DEPTH);

    const refusal = await refusalOf(data.engine, { parentRunId: line.at(-1)?.run_id ?? "" });

    expect(line).toHaveLength(MAX_DELEGATION_DEPTH + 1);
    expect(refusal).toMatchObject({ code: "INVALID_REQUEST", message: says(`${MAX_DELEGATION_DEPTH} deep`) });
  });

  test("a client's run may lead to so many delegated ones, at all depths together, and no more", async () => {
    await using data = await open();
    const [top, child] = await lineOf(data.engine, 1);
    const more = (parent: Run | undefined, count: number) =>
      Promise.all(Array.from({ length: count }, () => delegate(data.engine, parent)));
    await more(top, 99);
    await more(child, MAX_DELEGATED_RUNS - 100);

    for (const parent of [top, child]) {
      const refusal = await refusalOf(data.engine, { parentRunId: parent?.run_id ?? "" });
      expect(refusal).toMatchObject({ code: "INVALID_REQUEST", message: says(`${MAX_DELEGATED_RUNS} delegated`) });
    }
    await data.engine.cancel(top?.run_id ?? "");
    expect(await delegate(data.engine, (await start(data.engine)).run)).toMatchObject({ status: "queued" });
  });

  test.each(ENDS)("a run of a parent that is $status is refused with the parent's state", async (outcome) => {
    await using data = await open();
    const claim = await start(data.engine);
    const { run } = claim;
    await data.engine.settle(stepOf(claim), outcome);

    const refusal = await refusalOf(data.engine, { parentRunId: run.run_id });

    expect(refusal).toMatchObject({ code: "INVALID_REQUEST", message: says(`${run.run_id} is ${outcome.status}`) });
  });

  test("a run of a parent that is to be canceled is refused, so that the cancel misses nothing", async () => {
    await using data = await open();
    const { run } = await start(data.engine);
    await data.engine.cancel(run.run_id);

    const refusal = await refusalOf(data.engine, { parentRunId: run.run_id });

    expect(refusal).toMatchObject({ code: "INVALID_REQUEST", message: says("being canceled") });
  });
}

function testRepeat(open: OpenEngine): void {
  const chosen = { runId: "my-child", runIdChosen: true };

  test("a repeat of a delegated run returns the first one", async () => {
    await using data = await open();
    const parent = await start(data.engine);
    const request = newRun({ ...chosen, parentRunId: parent.run.run_id });
    const first = await data.engine.enqueue(request);

    expect(await data.engine.enqueue({ ...request, threadId: "another" })).toEqual({ run: first.run, created: false });
    await expect(data.engine.enqueue({ ...request, fingerprint: "body 2" })).rejects.toMatchObject({
      code: "RUN_ID_TAKEN",
    });
  });

  test.each(["over", "to be canceled"])(
    "a repeat of a delegated run returns it although its parent is %s, so that a crash loses no result",
    async (state) => {
      await using data = await open();
      const parent = await start(data.engine, { threadId: "thread" });
      const request = newRun({ ...chosen, parentRunId: parent.run.run_id });
      await data.engine.enqueue(request);
      await complete(data.engine, await claimNext(data.engine));
      if (state === "to be canceled") await data.engine.cancel(parent.run.run_id);
      else await complete(data.engine, parent);

      const again = await data.engine.enqueue(request);

      expect(again).toMatchObject({ created: false, run: { run_id: "my-child", status: "completed", reply: "done" } });
    },
  );
}

function testClaimedFirst(open: OpenEngine): void {
  test("delegated runs are claimed before older ones of clients, each kind the oldest first", async () => {
    await using data = await open();
    const parent = await start(data.engine);
    const own = [await enqueue(data.engine), await enqueue(data.engine)];
    const delegated = [await delegate(data.engine, parent.run), await delegate(data.engine, parent.run)];

    const claims = await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS });

    expect(claims.map(({ run }) => run.run_id)).toEqual(idsOf([...delegated, ...own]));
  });

  test.each([1, 2, 3])("a claim of %i takes so many of both kinds together, delegated ones first", async (limit) => {
    await using data = await open();
    const parent = await start(data.engine);
    const own = [await enqueue(data.engine), await enqueue(data.engine)];
    const delegated = [await delegate(data.engine, parent.run), await delegate(data.engine, parent.run)];

    const claims = await data.engine.claim({ owner: ownerOf("owner 1"), limit, leaseMs: LEASE_MS });

    expect(claims.map(({ run }) => run.run_id)).toEqual(idsOf([...delegated, ...own]).slice(0, limit));
  });

  test("a delegated run still waits behind the run of its thread", async () => {
    await using data = await open();
    const parent = await start(data.engine);
    const first = await start(data.engine, { threadId: "thread" });
    const child = await delegate(data.engine, parent.run, { threadId: "thread" });

    expect(await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS })).toEqual([]);
    await complete(data.engine, first);
    expect((await claimNext(data.engine)).run.run_id).toBe(child.run_id);
  });
}

function testCanceledTogether(open: OpenEngine): void {
  test("canceling a run reaches all that it delegated, and they in turn", async () => {
    await using data = await open();
    const [top, child, grandchild] = await lineOf(data.engine, 2);
    const queued = await delegate(data.engine, child);

    expect(await data.engine.cancel(top?.run_id ?? "")).toMatchObject({ status: "running", cancel_requested: true });

    expect(new Set(await canceledOf(data.engine, "owner 1"))).toEqual(new Set(idsOf([top, child, grandchild])));
    expect(await data.engine.run(queued.run_id)).toMatchObject({ status: "canceled" });
  });

  test("runs can be listed without the delegated ones, and those alone", async () => {
    await using data = await open();
    const line = await lineOf(data.engine, 1);
    const listed = async (topLevel: boolean) => idsOf((await data.engine.runs({ limit: 10, topLevel })).items);

    expect(await listed(true)).toEqual(idsOf(line.slice(0, 1)));
    expect(await listed(false)).toEqual(idsOf(line.slice(1)));
  });

  test.each(ENDS)("a run that is $status ends what is under way below it, not what is over", async (outcome) => {
    await using data = await open();
    const top = await start(data.engine);
    await delegate(data.engine, top.run);
    await complete(data.engine, await claimNext(data.engine));
    const over = await data.engine.runs({ limit: 1, parentRunId: top.run.run_id });
    await delegate(data.engine, top.run);
    const running = await claimNext(data.engine);
    const queued = await delegate(data.engine, running.run);

    await data.engine.settle(stepOf(top), outcome);

    expect(await canceledOf(data.engine, "owner 1")).toEqual([running.run.run_id]);
    expect(await data.engine.run(queued.run_id)).toMatchObject({ status: "canceled" });
    expect(await data.engine.run(over.items[0]?.run_id ?? "")).toEqual(over.items[0]);
  });

  test("canceling a delegated run leaves its parent and its siblings alone", async () => {
    await using data = await open();
    const top = await start(data.engine);
    const child = await delegate(data.engine, top.run);
    const sibling = await delegate(data.engine, top.run);

    await data.engine.cancel(child.run_id);

    expect(await data.engine.run(sibling.run_id)).toEqual(sibling);
    expect(await data.engine.run(top.run.run_id)).toEqual(top.run);
  });

  test("a run that was to be canceled when its owner died ends what it delegated, whoever owns that", async () => {
    await using data = await open();
    const [top, child] = await lineOf(data.engine, 1);
    await data.engine.cancel(top?.run_id ?? "");

    await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");

    for (const run of [top, child])
      expect(await data.engine.run(run?.run_id ?? "")).toMatchObject({ status: "canceled" });
  });

  test("a crash does not count against a run that waits for another, which is POISONED alone", async () => {
    await using data = await open();
    const [top, child] = await lineOf(data.engine, 1);
    const call = { stepsBefore: 0, toolCallId: "call_1", effects: "pure", result: null } as const;
    for (let crashes = 1; crashes <= 3; crashes += 1) {
      for (const run of [top, child]) {
        const name = run === top ? "delegate" : "killer";
        const toolCalls = [{ ...call, name, contained: name === "delegate" }];
        await data.engine.append({ runId: run?.run_id ?? "", fence: crashes, events: [], toolCalls });
      }
      await data.engine.release({ owner: ownerOf("owner 1") }, "crashed");
      await data.engine.claim({ owner: ownerOf("owner 1"), limit: 10, leaseMs: LEASE_MS });
    }

    expect(await data.engine.run(child?.run_id ?? "")).toMatchObject({ status: "failed", error: { code: "POISONED" } });
    expect(await data.engine.run(top?.run_id ?? "")).toMatchObject({ status: "running" });
  });

  test("strategy interrupt ends what the thread's run delegated too", async () => {
    await using data = await open();
    const top = await start(data.engine, { threadId: "thread" });
    const child = await delegate(data.engine, top.run);

    await enqueue(data.engine, { threadId: "thread", strategy: "interrupt" });

    expect(await data.engine.run(child.run_id)).toMatchObject({ status: "canceled" });
  });
}

function testLists(open: OpenEngine): void {
  test("runs are listed by the run that delegated them, newest first and page by page", async () => {
    await using data = await open();
    const [top, other] = [await start(data.engine), await start(data.engine)];
    const [first, second] = [await delegate(data.engine, top.run), await delegate(data.engine, top.run)];
    await delegate(data.engine, other.run);
    await delegate(data.engine, first);

    const filter = { limit: 1, parentRunId: top.run.run_id };
    const page = await data.engine.runs(filter);
    const rest = await data.engine.runs({ ...filter, before: page.next ?? 0 });

    expect([...page.items, ...rest.items]).toEqual([second, first]);
    expect(await data.engine.runs({ ...filter, limit: 10, status: "running" })).toEqual({ items: [], next: null });
  });

  test("threads leave out those of delegated runs, on every page", async () => {
    await using data = await open();
    const parent = await start(data.engine, { threadId: "a" });
    await delegate(data.engine, parent.run, { threadId: "child-1" });
    await enqueue(data.engine, { threadId: "b" });
    await delegate(data.engine, parent.run, { threadId: "child-2" });
    await delegate(data.engine, parent.run, { threadId: "child-3" });

    const all = await data.engine.threads({ limit: 3 });
    const first = await data.engine.threads({ limit: 1 });
    const second = await data.engine.threads({ limit: 1, before: first.next ?? 0 });

    expect(all).toEqual({ items: [...first.items, ...second.items], next: null });
    expect(all.items.map(({ thread_id }) => thread_id)).toEqual(["b", "a"]);
    expect(await data.engine.threads({ limit: 1, before: second.next ?? 0 })).toEqual({ items: [], next: null });
    expect(await threadOf(data.engine, "child-1")).toMatchObject({ runs: 1 });
  });

  test("a thread is listed while its newest run is a client's", async () => {
    await using data = await open();
    const parent = await start(data.engine, { threadId: "a" });
    const listed = async () => (await data.engine.threads({ limit: 9 })).items.map(({ thread_id }) => thread_id);

    await delegate(data.engine, parent.run, { threadId: "b" });
    expect(await listed()).toEqual(["a"]);
    await enqueue(data.engine, { threadId: "b" });
    expect(await listed()).toEqual(["b", "a"]);
    await delegate(data.engine, parent.run, { threadId: "b" });
    expect(await listed()).toEqual(["a"]);
  });

  test("deleting a thread deletes what its runs delegated, at every depth, and nothing else", async () => {
    await using data = await open();
    const [top, child, grandchild] = await lineOf(data.engine, 2);
    const other = await enqueue(data.engine);
    for (const run of [grandchild, child, top]) {
      const step = { runId: run?.run_id ?? "", fence: 1, events: [] };
      await data.engine.settle(step, { status: "completed", reply: "done" });
    }

    expect(await data.engine.deleteThread(top?.thread_id ?? "")).toBe(true);

    for (const run of [top, child, grandchild]) {
      expect(await data.engine.run(run?.run_id ?? "")).toBeUndefined();
      expect(await data.engine.thread(run?.thread_id ?? "")).toBeUndefined();
    }
    expect(await data.engine.run(other.run_id)).toEqual(other);
  });

  test("a thread with a run of its own outlives the run that another thread delegated into it", async () => {
    await using data = await open();
    await complete(data.engine, await start(data.engine, { threadId: "own" }));
    const top = await start(data.engine, { threadId: "thread" });
    const child = await start(data.engine, { parentRunId: top.run.run_id, threadId: "own" });
    for (const claim of [child, top]) await complete(data.engine, claim);

    await data.engine.deleteThread("thread");

    expect(await data.engine.run(child.run.run_id)).toBeUndefined();
    expect(await threadOf(data.engine, "own")).toMatchObject({ runs: 1, messages: [{ content: "hello" }] });
  });
}

function delegate(engine: Engine, parent: Run | undefined, overrides: Partial<NewRun> = {}): Promise<Run> {
  return enqueue(engine, { ...overrides, parentRunId: parent?.run_id ?? "" });
}

/** A chain of running runs: the first delegates the second, the second the third, down to `depth` below the first. */
async function lineOf(engine: Engine, depth: number): Promise<Run[]> {
  const line = [(await start(engine)).run];
  while (line.length <= depth) {
    await delegate(engine, line.at(-1));
    line.push((await claimNext(engine)).run);
  }
  return line;
}

/**
 * The error with which the run was refused. Fails when the run was accepted, or when the refusal left anything behind.
 */
async function refusalOf(engine: Engine, request: Partial<NewRun>): Promise<unknown> {
  const refused = newRun(request);
  const refusal: unknown = await engine.enqueue(refused).catch((error: unknown) => error);
  expect(await engine.run(refused.runId)).toBeUndefined();
  expect(await threadOf(engine, refused.threadId)).toBeUndefined();
  return refusal;
}

function says(text: string): unknown {
  return expect.stringContaining(text);
}

function idsOf(runs: readonly (Run | undefined)[]): (string | undefined)[] {
  return runs.map((run) => run?.run_id);
}
