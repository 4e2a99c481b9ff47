/** The results of an answer's calls when the run's time is up: what the model is told, and what readers are told. */
import { setImmediate as nextTick } from "node:timers/promises";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { defineAgents, type Agent } from "../core/agent.ts";
import type { ToolUseBlock } from "../core/message.ts";
import { claimNext, journalOf, ownerOf, start } from "../engine/contract/setup.ts";
import type { Claim, Engine, ToolCall } from "../engine/engine.ts";
import { openTemporary } from "../engine/sqlite/test-data.ts";
import { problemsOf, type ReadEvent } from "../testing/journal.ts";
import { Parking } from "./parking.ts";
import { RunJournal } from "./run-journal.ts";
import { refuseCalls, runCalls, type Calling, type StepResults } from "./tool-step.ts";
import type { Tool } from "./tools/invoke.ts";

const agent = defineAgents({ payer: { model: "m" } }).get("payer") as Agent;
const STEPS = 1;
const use = (id: string, name: string): ToolUseBlock => ({ type: "tool_use", id, name, input: {} });

const tool = (invoke: Tool["invoke"]): Tool => ({
  description: "",
  inputSchema: { type: "object" },
  effects: "unsafe",
  contained: true,
  invoke,
});
const pay = tool(async () => ({ content: "PAID 100 EUR", isError: false }));
/** Runs until it is told to stop. */
const slow = tool(
  (_input, { signal }) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve({ content: "stopped", isError: true }))),
);

const tryAlone: Calling["tryAlone"] = (work) => work();

/** What an owner of the claimed run needs for its calls. @param seenBy the engine that its journal writes to */
function callingOf(claim: Claim, engine: Engine, { late = new AbortController(), seenBy = engine } = {}): Calling {
  const { signal } = new AbortController();
  const { run, fence } = claim;
  const about = { engine: seenBy, runId: run.run_id, fence, signal, onCanceled: () => {}, onLost: () => {} };
  const journal = new RunJournal(about);
  onTestFinished(() => journal.stop());
  const tools = new Map([
    ["pay", pay],
    ["slow", slow],
  ]);
  const log = pino({ enabled: false });
  const parking = new Parking(() => {});
  return { run, agent, engine, tools, parking, tryAlone, journal, log, signal, late: late.signal };
}

function begin({ journal }: Calling, uses: readonly ToolUseBlock[]): void {
  for (const { id, name } of uses) {
    journal.emit({ type: "TOOL_CALL_START", toolCallId: id, toolCallName: name });
    journal.emit({ type: "TOOL_CALL_END", toolCallId: id });
  }
}

/** Commits the step and ends the run. @returns the whole journal */
async function finish({ journal, run, engine }: Calling, { content, events }: StepResults): Promise<ReadEvent[]> {
  await journal.checkpoint({ messages: [{ role: "user", content }] }, events);
  await journal.settle({}, { status: "completed", reply: "done" });
  return (await journalOf(engine, run.run_id)) as unknown as ReadEvent[];
}

/** Ends the run's time while the result of a call is being written. */
function lateDuringResult(engine: Engine, late: AbortController): Engine {
  const append: Engine["append"] = async (step) => {
    if (step.toolCalls?.some(({ result }) => result)) {
      late.abort(new Error("The time of the run is nearly up."));
      for (let tick = 0; tick < 20; tick += 1) await nextTick();
    }
    return engine.append(step);
  };
  return new Proxy(engine, {
    get: (target, name) => (name === "append" ? append : Reflect.get(target, name).bind(target)),
  });
}

test("a call that finished just before the time was up has one result, its own, for readers and the model", async () => {
  await using data = await openTemporary();
  const late = new AbortController();
  const seenBy = lateDuringResult(data.engine, late);
  const calling = callingOf(await start(data.engine), data.engine, { late, seenBy });
  const uses = [use("a", "pay"), use("b", "slow")];
  begin(calling, uses);

  const results = await runCalls(calling, { uses, steps: STEPS, isResumed: false });

  expect(results.content).toMatchObject([
    { tool_use_id: "a", content: "PAID 100 EUR" },
    { tool_use_id: "b", content: expect.stringContaining("outcome is unknown"), is_error: true },
  ]);
  expect(problemsOf(await finish(calling, results))).toEqual([]);
});

const begun = (toolCallId: string, result: ToolCall["result"]): ToolCall => ({
  stepsBefore: STEPS,
  toolCallId,
  name: "pay",
  effects: "unsafe",
  result,
});

test("calls that a dead owner began are not told as never run when the time is up", async () => {
  await using data = await openTemporary();
  const { engine } = data;
  const uses = [use("a", "pay"), use("b", "pay"), use("c", "pay")];
  const first = callingOf(await start(engine), engine);
  begin(first, uses);
  const toolCalls = [begun("a", { content: "PAID 100 EUR", isError: false }), begun("b", null)];
  await first.journal.checkpoint({ toolCalls }, [
    { type: "STEP_STARTED", stepName: "tool:pay:b" },
    { type: "TOOL_CALL_RESULT", messageId: "msg_a", toolCallId: "a", content: "PAID 100 EUR" },
    { type: "STEP_STARTED", stepName: "model" },
    { type: "STEP_FINISHED", stepName: "model" },
  ]);
  await engine.release({ owner: ownerOf("owner 1") }, "crashed");
  const second = callingOf(await claimNext(engine, { owner: "owner 2" }), engine);

  const results = await refuseCalls(second, { uses, steps: STEPS, isResumed: true }, "time_limit");

  expect(results.content).toMatchObject([
    { tool_use_id: "a", content: "PAID 100 EUR" },
    { tool_use_id: "b", content: expect.stringContaining("outcome is unknown"), is_error: true },
    { tool_use_id: "c", content: "This tool did not run: the time is nearly up.", is_error: true },
  ]);
  expect(problemsOf(await finish(second, results))).toEqual([]);
});

test("readers are told of calls that do not run together with their step, so a next owner tells them once", async () => {
  await using data = await openTemporary();
  const { engine } = data;
  const uses = [{ ...use("a", "pay"), cut: true as const }, use("b", "pay")];
  const first = callingOf(await start(engine), engine);
  begin(first, uses);
  await first.journal.checkpoint({}, [
    { type: "STEP_STARTED", stepName: "model" },
    { type: "STEP_FINISHED", stepName: "model" },
  ]);
  await runCalls(first, { uses, steps: STEPS, isResumed: false });
  await engine.release({ owner: ownerOf("owner 1") }, "crashed");
  const second = callingOf(await claimNext(engine, { owner: "owner 2" }), engine);

  const results = await runCalls(second, { uses, steps: STEPS, isResumed: true });

  expect(results.content).toMatchObject([{ content: expect.stringContaining("cut off") }, { content: "PAID 100 EUR" }]);
  expect(problemsOf(await finish(second, results))).toEqual([]);
});
