import { pino } from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import type { ToolCall } from "../../engine/engine.ts";
import { callContext } from "../../testing/call-context.ts";
import { Parking } from "../parking.ts";
import { RunJournal } from "../run-journal.ts";
import { runTools, type AnswerCalls } from "./execute.ts";
import { inlineTool } from "./inline.ts";
import type { CallContext, Tool } from "./invoke.ts";
import { defineTool, type DefinedTool } from "./tool.ts";
import type { Engine, Step } from "../../engine/engine.ts";
import type { Files } from "../../engine/files.ts";

interface Calls {
  readonly tool: DefinedTool | Tool;
  readonly ledger?: readonly ToolCall[];
  readonly signal?: AbortSignal;
  readonly onAppend?: (step: Step) => void;
  readonly tryAlone?: AnswerCalls["tryAlone"];
}

/** One call of the tool "it", against a journal that accepts everything. */
function runIt({ tool, ledger = [], signal = new AbortController().signal, onAppend, tryAlone }: Calls) {
  const engine = {
    append: async (step: Step) => {
      onAppend?.(step);
      return { cancelRequested: false };
    },
  } as unknown as Engine;
  const journal = new RunJournal({ engine, runId: "run", fence: 1, signal, onCanceled: () => {}, onLost: () => {} });
  return runTools({
    uses: [{ type: "tool_use", id: "call_1", name: "it", input: {} }],
    ledger,
    tools: new Map([["it", "invoke" in tool ? tool : inlineTool(tool)]]),
    journal,
    steps: 1,
    parking: new Parking(() => {}),
    tryAlone: tryAlone ?? ((work) => work()),
    files: {} as Files,
    log: pino({ enabled: false }),
    keyOf: async ({ stepsBefore, toolCallId }) => `run:${stepsBefore}:${toolCallId}`,
    context: callContext({ signal }),
  });
}

const input = z.object({});

test("a call is in the ledger before its tool runs, and its result after", async () => {
  const order: string[] = [];
  const tool = defineTool({ description: "", input, run: () => void order.push("run") });

  await runIt({
    tool,
    onAppend: ({ toolCalls = [] }) => order.push(...toolCalls.map(({ result }) => (result ? "finished" : "started"))),
  });

  expect(order).toEqual(["started", "run", "finished"]);
});

test("readers and the ledger learn of a call's start, and of its result, with one write each", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const writes: (readonly string[])[] = [];

  await runIt({
    // A frame of text is due by the end of the call, so events would go out at once.
    tool: defineTool({ description: "", input, run: () => void vi.advanceTimersByTime(1_000) }),
    onAppend: ({ events, toolCalls = [] }) =>
      writes.push([
        ...events.map(({ type }) => type),
        ...toolCalls.map((call) => (call.result ? "finished" : "started")),
      ]),
  });

  expect(writes).toEqual([
    ["STEP_STARTED", "started"],
    ["TOOL_CALL_RESULT", "STEP_FINISHED", "finished"],
  ]);
});

test("a finished call is never repeated: its result comes from the ledger", async () => {
  const run = vi.fn<() => string>(() => "again");
  const result = { content: "first", isError: false };
  const ledger: ToolCall[] = [{ stepsBefore: 1, toolCallId: "call_1", name: "it", effects: "unsafe", result }];

  const [block] = await runIt({ tool: defineTool({ description: "", input, run }), ledger });

  expect(block).toMatchObject({ tool_use_id: "call_1", content: "first" });
  expect(run).not.toHaveBeenCalled();
});

test("a finished call of an earlier answer is not taken for one of the same id", async () => {
  const run = vi.fn<() => string>(() => "second");
  const result = { content: "first", isError: false };
  const ledger: ToolCall[] = [{ stepsBefore: 0, toolCallId: "call_1", name: "it", effects: "unsafe", result }];

  const [block] = await runIt({ tool: defineTool({ description: "", input, run }), ledger });

  expect(block).toMatchObject({ content: "second" });
  expect(run).toHaveBeenCalledOnce();
});

test("an unsafe call that a crash interrupted is reported as unknown and not run again", async () => {
  const run = vi.fn<() => string>(() => "again");
  const ledger: ToolCall[] = [{ stepsBefore: 1, toolCallId: "call_1", name: "it", effects: "unsafe", result: null }];

  const [block] = await runIt({ tool: defineTool({ description: "", input, run }), ledger });

  expect(block).toMatchObject({ is_error: true, content: expect.stringContaining("outcome is unknown") });
  expect(run).not.toHaveBeenCalled();
});

test.each(["pure", "idempotent"] as const)("a %s call that a crash interrupted runs again", async (effects) => {
  const ledger: ToolCall[] = [{ stepsBefore: 1, toolCallId: "call_1", name: "it", effects, result: null }];

  const [block] = await runIt({ tool: defineTool({ description: "", input, effects, run: () => "done" }), ledger });

  expect(block?.content).toBe("done");
});

test("a tool that became safe since the crash is judged by what the ledger says of the call", async () => {
  const run = vi.fn<() => string>(() => "again");
  const ledger: ToolCall[] = [{ stepsBefore: 1, toolCallId: "call_1", name: "it", effects: "unsafe", result: null }];

  await runIt({ tool: defineTool({ description: "", input, effects: "pure", run }), ledger });

  expect(run).not.toHaveBeenCalled();
});

const HOSTED = { description: "", inputSchema: { type: "object" }, effects: "pure" } as const;
const ANSWER = { content: "done", isError: false };

test.each([
  ["waits until it may run, before it is in the ledger", false, ["alone", "started", "finished"]],
  ["that cannot end the process waits for nobody", true, ["started", "finished"]],
])("a call %s", async (_, contained, expected) => {
  const order: string[] = [];

  await runIt({
    tool: { ...HOSTED, contained, invoke: async () => ANSWER },
    tryAlone: (work) => {
      order.push("alone");
      return work();
    },
    onAppend: ({ toolCalls = [] }) => order.push(...toolCalls.map(({ result }) => (result ? "finished" : "started"))),
  });

  expect(order).toEqual(expected);
});

test("a run that is canceled while its tool runs keeps no result of it", async () => {
  const cancel = new AbortController();
  const steps: Step[] = [];
  const invoke = async () => {
    cancel.abort(new Error("canceled"));
    return ANSWER;
  };

  const running = runIt({
    tool: { ...HOSTED, invoke },
    signal: cancel.signal,
    onAppend: (step) => steps.push(step),
  });

  await expect(running).rejects.toThrow("canceled");
  expect(steps).toHaveLength(1);
});

test("nothing is told of a call that has ended", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const reports: CallContext["report"][] = [];
  const steps: Step[] = [];
  const invoke = async (_input: unknown, { report }: CallContext) => {
    report({ type: "progress", progress: 0.5 });
    reports.push(report);
    return ANSWER;
  };

  await runIt({
    tool: { ...HOSTED, invoke },
    onAppend: (step) => {
      steps.push(step);
      for (const report of reports) report({ type: "progress", progress: "too late" });
    },
  });
  // Longer than a frame of events is gathered.
  await vi.advanceTimersByTimeAsync(1_000);

  const told = steps.flatMap(({ events }) => events).filter(({ type }) => type === "CUSTOM");
  expect(told).toHaveLength(1);
});

test("a run that is canceled while the call is being written does not run the tool any more", async () => {
  const cancel = new AbortController();
  const run = vi.fn<() => string>(() => "too late");

  const results = runIt({
    tool: defineTool({ description: "", input, run }),
    signal: cancel.signal,
    onAppend: () => cancel.abort(new Error("canceled")),
  });

  await expect(results).rejects.toThrow("canceled");
  expect(run).not.toHaveBeenCalled();
});
