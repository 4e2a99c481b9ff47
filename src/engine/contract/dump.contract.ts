/** Export and import: the same thread on another storage. */
import { expect, test } from "vitest";
import type { Message } from "../../core/message.ts";
import type { Engine, ToolCall } from "../engine.ts";
import type { ThreadDump } from "../rules/dump.ts";
import { complete, delta, enqueue, journalOf, newRun, start, stepOf, threadOf, type OpenEngine } from "./setup.ts";

const FIRST = { updated_at: 0, id: "" };

export function testDump(open: OpenEngine): void {
  test("a thread is on another storage what it was: runs, messages, events, tool calls, order and owner", async () => {
    await using here = await open();
    await using there = await open();
    const { threadId, parent, child } = await tell(here.engine);
    const dumps = await exportAll(here.engine);

    // The dumps go through JSON, as they do in a file.
    for (const dump of dumps) expect(await there.engine.importThread(JSON.parse(JSON.stringify(dump)))).toBe(true);

    expect(await threadOf(there.engine, threadId)).toEqual(await threadOf(here.engine, threadId));
    expect(await there.engine.threads({ limit: 10 })).toMatchObject({ items: [{ thread_id: threadId, runs: 2 }] });
    for (const runId of [parent, child]) {
      expect(await there.engine.run(runId)).toEqual(await here.engine.run(runId));
      expect(await journalOf(there.engine, runId)).toEqual(await journalOf(here.engine, runId));
      expect(await there.engine.toolCalls(runId)).toEqual(await here.engine.toolCalls(runId));
    }
    expect(await there.engine.principalOf({ threadId })).toBe("ana");
  });

  test("a thread that came from elsewhere goes on: its next run sees what was said", async () => {
    await using here = await open();
    await using there = await open();
    const { threadId } = await tell(here.engine);
    for (const dump of await exportAll(here.engine)) await there.engine.importThread(dump);

    const next = await start(there.engine, { threadId, message: "and now?" });
    await complete(there.engine, next);

    const said = (await there.engine.history(next.run.run_id)).flatMap(({ messages }) => messages);
    expect(said.map(({ content }) => content)).toEqual(["hello", "noon", "hello", "and now?"]);
    expect((await journalOf(there.engine, next.run.run_id)).at(-1)).toMatchObject({ type: "RUN_FINISHED" });
    expect(await there.engine.deleteThread(threadId)).toBe(true);
  });

  test("what is there already is left as it is, and a run id that is taken keeps its thread out", async () => {
    await using here = await open();
    await using there = await open();
    const { parent } = await tell(here.engine);
    const dumps = await exportAll(here.engine);
    await complete(there.engine, await start(there.engine, { runId: parent, threadId: "mine" }));

    const stored: string[] = [];
    for (const dump of [...dumps, ...dumps]) if (await there.engine.importThread(dump)) stored.push(dump.thread.id);

    // The delegated run is stored once.
    expect(stored).toHaveLength(1);
    expect(stored).not.toContain("thread");
    expect(await there.engine.run(parent)).toMatchObject({ thread_id: "mine" });
  });

  test("runs under way are left out, and keys of requests are not taken along", async () => {
    await using here = await open();
    await using there = await open();
    const { threadId } = await tell(here.engine, "key");
    await enqueue(here.engine, { threadId });

    for (const dump of await exportAll(here.engine)) await there.engine.importThread(dump);

    expect((await there.engine.thread(threadId))?.runs).toBe(2);
    expect(await there.engine.counts()).toEqual({ queued: 0, running: 0 });
    expect(await there.engine.enqueue(newRun({ idempotencyKey: "key" }))).toMatchObject({ created: true });
  });
}

/** Two runs of a thread. The first has delegated a run, and has everything that a run can leave behind. */
async function tell(engine: Engine, idempotencyKey: string | null = null) {
  const threadId = "thread";
  const claim = await start(engine, { threadId, idempotencyKey, metadata: { a: 1 } });
  const delegated = await start(engine, { parentRunId: claim.run.run_id });
  await complete(engine, delegated);
  const call: ToolCall = {
    stepsBefore: 1,
    toolCallId: "call_1",
    name: "clock",
    effects: "pure",
    result: { content: "noon \u0000", isError: false },
  };
  const noon: Message = { role: "assistant", content: "noon", model: "m" };
  await engine.append(stepOf(claim, { events: [delta("no"), delta("on")], messages: [noon], toolCalls: [call] }));
  await complete(engine, claim, "noon");
  await complete(engine, await start(engine, { threadId }));
  return { threadId, parent: claim.run.run_id, child: delegated.run.run_id };
}

async function exportAll(engine: Engine): Promise<ThreadDump[]> {
  const dumps: ThreadDump[] = [];
  for (;;) {
    const dump = await engine.exportThread(dumps.at(-1)?.thread ?? FIRST);
    if (!dump) return dumps;
    dumps.push(dump);
  }
}
