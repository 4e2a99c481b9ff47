/** Retention of files: what nothing uses goes with its bytes, and what a stored run uses stays. */
import { expect, test } from "vitest";
import { hasCode } from "../../core/errors.ts";
import type { StoredFile } from "../../core/file.ts";
import type { Message } from "../../core/message.ts";
import type { Claim, Engine, ToolCall } from "../engine.ts";
import { LEARNED_A_STEP } from "../rules/file-uses.ts";
import {
  claimNext,
  complete,
  enqueue,
  newRun,
  numbersTo,
  save,
  start,
  stepOf,
  threadOf,
  type OpenedEngine,
  type OpenEngine,
} from "./setup.ts";
import { DAY_MS, later, moveOn, settled } from "./time.ts";

export function testFileRetention(open: OpenEngine): void {
  testUnused(open);
  testUsed(open);
  testNamed(open);
}

function testUnused(open: OpenEngine): void {
  test("a file that nothing uses goes with its bytes some time after it was saved, and not before", async () => {
    await using data = await open();
    const old = await save(data.engine, "old");
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual([]);
    await expect(data.engine.files.read(old.file_id)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
    const young = await save(data.engine, "young");
    await settled(data.engine, AFTER_A_DAY);

    expect(await filesOf(await data.another())).toEqual(idsOf(young));
  });

  test("without a limit every file stays", async () => {
    await using data = await open();
    const file = await save(data.engine, "notes");
    await later(data.engine, {});
    expect(await filesOf(data.engine)).toEqual(idsOf(file));
  });

  test("many files go, and the others of a principal stay", async () => {
    await using data = await open();
    for (let n = 0; n < 120; n += 1) await save(data.engine, `notes ${n}`);
    const used = await save(data.engine, "used");
    await enqueue(data.engine, { content: [naming(used)] });
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual(idsOf(used));
  });

  test("bytes stay for as long as another principal's file has them", async () => {
    await using data = await open();
    await save(data.engine, "hello");
    const kept = await save(data.engine, "hello", { principal: "bob" });
    await enqueue(data.engine, { principal: "bob", content: [naming(kept)] });
    await later(data.engine, AFTER_A_DAY);

    expect(await filesOf(data.engine)).toEqual([]);
    expect((await data.engine.files.read(kept.file_id)).toString()).toBe("hello");
  });

  test("a file whose bytes are saved again is as good as new", async () => {
    await using data = await open();
    const file = await save(data.engine, "hello");
    await later(data.engine, {});
    await save(data.engine, "hello");
    await settled(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual(idsOf(file));
  });
}

function testUsed(open: OpenEngine): void {
  test("a file in a message stays as long as its thread, and goes some time after that", async () => {
    await using data = await open();
    const file = await save(data.engine, "notes");
    const { thread_id: threadId } = await enqueue(data.engine, { content: [naming(file)] });
    await later(data.engine, AFTER_A_DAY);
    await complete(data.engine, await claimNext(data.engine));
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual(idsOf(file));

    await data.engine.deleteThread(threadId);
    await settled(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual(idsOf(file));
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual([]);
  });

  test("a file of two threads stays until the second is removed", async () => {
    await using data = await open();
    const file = await save(data.engine, "notes");
    for (const threadId of ["one", "two"]) await complete(data.engine, await tell(data.engine, threadId, file));
    await data.engine.deleteThread("one");
    await later(data.engine, AFTER_A_DAY);
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual(idsOf(file));

    await data.engine.deleteThread("two");
    await data.engine.maintain();
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual([]);
  });

  test("retention of threads ends the uses of their files, those of delegated runs, too", async () => {
    await using data = await open();
    const [own, child] = [await save(data.engine, "own"), await save(data.engine, "child")];
    const parent = await tell(data.engine, "thread", own);
    const delegated = await start(data.engine, { parentRunId: parent.run.run_id });
    await data.engine.append(stepOf(delegated, { toolCalls: [callWith(child)] }));
    await complete(data.engine, delegated);
    await complete(data.engine, parent);
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual(idsOf(own, child));

    await later(data.engine, { filesMs: DAY_MS, threadsMs: DAY_MS });
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual([]);
  });

  test("a file in a tool's result stays, from the entry in the ledger on", async () => {
    await using data = await open();
    const [first, second] = [await save(data.engine, "first"), await save(data.engine, "second")];
    const claim = await start(data.engine);
    await data.engine.append(stepOf(claim, { toolCalls: [callWith(first)] }));
    const call = callWith(second, "call_2");
    await data.engine.append(stepOf(claim, { toolCalls: [{ ...call, result: null }] }));
    await data.engine.append(stepOf(claim, { toolCalls: [call] }));
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual(idsOf(first, second));
  });

  test("a file in a later message, or in the conversation that a client keeps, stays", async () => {
    await using data = await open();
    const [before, result] = [await save(data.engine, "before"), await save(data.engine, "result")];
    const claim = await start(data.engine, { before: [{ role: "user", content: [naming(before)] }] });
    const message: Message = {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: "call_1", content: [naming(result)] }],
    };
    await data.engine.append(stepOf(claim, { messages: [message] }));
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual(idsOf(before, result));
  });

  test("a thread that was imported uses its files", async () => {
    await using here = await open();
    await using there = await open();
    const file = await save(there.engine, "notes");
    await complete(here.engine, await tell(here.engine, "thread", await save(here.engine, "notes", file)));
    const dump = await here.engine.exportThread({ updated_at: 0, id: "" });
    if (!dump) throw new Error("There was nothing to export.");
    await there.engine.importThread(dump);
    await later(there.engine, AFTER_A_DAY);
    expect(await filesOf(there.engine)).toEqual(idsOf(file));
  });

  test("the owner removes a file in use, and its thread stays", async () => {
    await using data = await open();
    const file = await save(data.engine, "notes");
    await complete(data.engine, await tell(data.engine, "thread", file));
    expect(await data.engine.files.remove(file.file_id)).toBe(true);
    await later(data.engine, AFTER_A_DAY);

    expect((await threadOf(data.engine, "thread"))?.messages).toMatchObject([{ content: [naming(file)] }]);
    expect(await data.engine.deleteThread("thread")).toBe(true);
    await settled(data.engine, AFTER_A_DAY);
  });
}

function testNamed(open: OpenEngine): void {
  test("a run that names a file which has gone is refused, and nothing of it is stored", async () => {
    await using data = await open();
    const file = await save(data.engine, "notes");
    const waiting = await enqueue(data.engine, { threadId: "thread" });
    await later(data.engine, AFTER_A_DAY);
    const content = [naming(file)];
    for (const named of [{ content }, { before: [{ role: "user" as const, content }] }])
      await expect(
        data.engine.enqueue(newRun({ threadId: "thread", strategy: "interrupt", ...named })),
      ).rejects.toMatchObject({ code: "FILE_NOT_FOUND", message: expect.stringContaining(file.file_id) });

    expect(await data.engine.run(waiting.run_id)).toMatchObject({ status: "queued" });
    expect(await threadOf(data.engine, "thread")).toMatchObject({ runs: 1 });
  });

  test("a repeat of a run returns the run, also when its file has gone", async () => {
    await using data = await open();
    const file = await save(data.engine, "notes");
    const request = newRun({ content: [naming(file)], idempotencyKey: "key" });
    const { run } = await data.engine.enqueue(request);
    await data.engine.files.remove(file.file_id);
    const repeat = await data.engine.enqueue({ ...request, runId: "again" });
    expect(repeat).toMatchObject({ created: false, run: { run_id: run.run_id } });
  });

  test("a retry goes on although a file has gone, and uses the others", async () => {
    await using data = await open();
    const [gone, kept] = [await save(data.engine, "gone"), await save(data.engine, "kept")];
    const claim = await start(data.engine, { content: [naming(gone), naming(kept)] });
    await data.engine.settle(stepOf(claim), { status: "failed", error: { code: "INTERNAL", detail: "" } });
    await data.engine.files.remove(gone.file_id);
    expect(await data.engine.retry({ of: claim.run.run_id, runId: "again" })).toMatchObject({ created: true });
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual(idsOf(kept));
  });

  test("of a run and a retention at the same moment one wins: no run is stored whose file has gone", async () => {
    await using data = await open();
    const others = await Promise.all([data.another(), data.another()]);
    const files: StoredFile[] = [];
    for (let n = 0; n < 60; n += 1) files.unshift(await save(data.engine, `notes ${n}`));
    moveOn();
    const retained = Promise.all(others.map((other) => settled(other, AFTER_A_DAY)));
    // The newest first: retention begins with the oldest.
    const asked = await Promise.allSettled(files.map((file) => enqueue(data.engine, { content: [naming(file)] })));
    await retained;

    const stored = files.filter((_, index) => asked[index]?.status === "fulfilled");
    expect(await filesOf(data.engine)).toEqual(idsOf(...stored));
    const refused = asked.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    expect(refused.filter((reason) => !hasCode(reason, "FILE_NOT_FOUND"))).toEqual([]);
  });
}

/** Lets `fill` store something, and opens the same data as if a version had written it that recorded no uses. */
export type OpenEarlier = (fill: (engine: Engine) => Promise<void>) => Promise<OpenedEngine>;

/** The tests of a driver call this, because only the driver can make such data. */
export function testEarlierUses(openEarlier: OpenEarlier): void {
  test("runs of before uses were recorded keep their files, and no file goes at once", async () => {
    const runs = 2 * LEARNED_A_STEP + 1;
    // These runs lie where a step of learning ends and the next one begins.
    const atEnds = numbersTo(runs - 1).filter((n) => n > 1 && n % LEARNED_A_STEP <= 3);
    await using data = await openEarlier(async (engine) => {
      for (const text of ["unused", "first", ...atEnds, "last"])
        await save(engine, `${text}`, { file_id: `file_${text}` });
      const first = await tell(engine, "first", { file_id: "file_first" });
      await complete(engine, first);
      for (let n = 2; n < runs; n += 1) {
        const file = { file_id: `file_${n}` };
        await complete(engine, await (atEnds.includes(n) ? tell(engine, `thread ${n}`, file) : start(engine)));
      }
      const last = await start(engine, { threadId: "last" });
      await engine.append(stepOf(last, { toolCalls: [callWith({ file_id: "file_last" })] }));
      await complete(engine, last);
    });
    const used = idsOf({ file_id: "file_last" }, ...atEnds.map((n) => ({ file_id: `file_${n}` })));
    await settled(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual([...used, "file_first", "file_unused"].toSorted());
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(data.engine)).toEqual([...used, "file_first"].toSorted());

    await data.engine.deleteThread("first");
    await data.engine.maintain();
    await later(data.engine, AFTER_A_DAY);
    expect(await filesOf(await data.another())).toEqual(used);
  });
}

const AFTER_A_DAY = { filesMs: DAY_MS };

type Named = Pick<StoredFile, "file_id">;

/** The principal's files. */
async function filesOf({ files }: Engine, principal = "ana"): Promise<string[]> {
  const { items } = await files.list({ principal, limit: 200 });
  return items.map((file) => file.file_id).toSorted();
}

function idsOf(...files: readonly Named[]): string[] {
  return files.map((file) => file.file_id).toSorted();
}

/** The part of a message that names the file. */
function naming({ file_id }: Named) {
  return { type: "document", source: { type: "file", file_id } } as const;
}

/** A run under way whose message names the file. */
function tell(engine: Engine, threadId: string, file: Named): Promise<Claim> {
  return start(engine, { threadId, content: [naming(file)] });
}

/** A finished call whose result names the file. */
function callWith(file: Named, toolCallId = "call_1"): ToolCall {
  const result = { content: [naming(file)], isError: false };
  return { stepsBefore: 0, toolCallId, name: "draw", effects: "pure", result };
}
