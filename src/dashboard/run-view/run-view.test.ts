import { describe, expect, test } from "vitest";
import { kinds, only, toolOf, viewOf } from "./view-of.ts";
import { readEvent, type WireEvent } from "./wire-event.ts";

const started: WireEvent[] = [
  { seq: 1, timestamp: 1_000, type: "RUN_STARTED", threadId: "t", runId: "r" },
  { seq: 2, timestamp: 1_000, type: "CUSTOM", name: "evenkeel.queued", value: { agent_id: "a", ahead: 3 } },
  { seq: 3, timestamp: 1_010, type: "CUSTOM", name: "evenkeel.claimed", value: { owner: "agent-1-9", attempt: 1 } },
];

const waiting = (seq: number, runId: string): WireEvent => ({
  ...custom("waiting", { tool_call_id: "c", run_id: runId, agent_id: "a" }),
  seq,
  timestamp: 1_030 + seq,
});

function custom(name: string, value: object) {
  return { type: "CUSTOM", name: `evenkeel.${name}`, value } as const;
}

const delegated = (toolCallId: string) => ({
  type: "CUSTOM" as const,
  name: "evenkeel.waiting",
  value: { reason: "delegated to a", tool_call_id: toolCallId, run_id: `run_${toolCallId}`, agent_id: "a" },
});

describe("what seldom happens", () => {
  test("a run that waits says how many are ahead", () => {
    expect(viewOf(started.slice(0, 2))).toMatchObject({ status: "queued", ahead: 3 });
  });

  test("a tool that runs when the run is canceled is interrupted, not done", () => {
    const view = viewOf([
      ...started,
      { seq: 4, timestamp: 1_020, type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "slow" },
      { seq: 5, timestamp: 1_020, type: "TOOL_CALL_END", toolCallId: "c" },
      { seq: 6, timestamp: 1_030, type: "STEP_STARTED", stepName: "tool:slow:c" },
      { seq: 7, timestamp: 1_040, type: "RUN_FINISHED", threadId: "t", runId: "r", outcome: { type: "cancelled" } },
    ]);
    expect(toolOf(view)).toMatchObject({ state: "interrupted", result: null });
  });

  test("a tool that a second process runs again is done when that one is", () => {
    const view = viewOf([
      ...started,
      { seq: 4, timestamp: 1_020, type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "slow" },
      { seq: 5, timestamp: 1_020, type: "TOOL_CALL_END", toolCallId: "c" },
      { seq: 6, timestamp: 1_030, type: "STEP_STARTED", stepName: "tool:slow:c" },
      { seq: 7, timestamp: 1_040, type: "STEP_FINISHED", stepName: "tool:slow:c" },
    ]);
    expect(toolOf(view)?.state).toBe("interrupted");
    view.apply({ seq: 8, timestamp: 2_000, type: "STEP_STARTED", stepName: "tool:slow:c" });
    view.apply({ seq: 9, timestamp: 2_010, type: "TOOL_CALL_RESULT", messageId: "m", toolCallId: "c", content: "ok" });
    expect(toolOf(view)).toMatchObject({ state: "done", result: "ok", endedAt: 2_010 });
  });

  test("two calls under one id are two items, and the result is the newer one's", () => {
    const call = { type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "t" } as const;
    const view = viewOf([
      ...started,
      { ...call, seq: 4 },
      { ...call, seq: 5 },
      { seq: 6, type: "TOOL_CALL_RESULT", messageId: "m", toolCallId: "c", content: "ok" },
    ]);
    expect(only(view, "tool").map(({ result }) => result)).toEqual([null, "ok"]);
    expect(new Set(view.items.map(({ key }) => key)).size).toBe(2);
  });

  test("a gap is told where it is", () => {
    const view = viewOf([
      ...started,
      { type: "CUSTOM", name: "evenkeel.gap", value: { after: 3, next: 90 } },
      { seq: 90, type: "TEXT_MESSAGE_CONTENT", messageId: "gone", delta: "of a message whose start is gone" },
    ]);
    expect(view.items).toMatchObject([{ kind: "gap", after: 3, next: 90 }]);
    expect(view.lastSeq).toBe(90);
  });

  test("a parked run waits until its next step", () => {
    const view = viewOf([...started, { seq: 4, type: "CUSTOM", name: "evenkeel.waiting", value: { reason: "limit" } }]);
    expect(view).toMatchObject({ status: "parked", items: [{ kind: "parked", reason: "limit" }] });
    view.apply({ seq: 5, type: "STEP_STARTED", stepName: "model" });
    expect(view.status).toBe("running");
  });

  test("a delegated call waits for its run, and names it; the run is parked while nothing else works", () => {
    const view = viewOf([
      ...started,
      { seq: 4, timestamp: 1_020, type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "delegate" },
      { seq: 5, timestamp: 1_020, type: "TOOL_CALL_START", toolCallId: "t", toolCallName: "calculate" },
      { seq: 6, timestamp: 1_030, type: "STEP_STARTED", stepName: "tool:delegate:c" },
      { seq: 7, timestamp: 1_030, type: "STEP_STARTED", stepName: "tool:calculate:t" },
      { seq: 8, timestamp: 1_040, ...delegated("c") },
    ]);
    expect(view).toMatchObject({ status: "running", delegatedRuns: 1 });
    expect(toolOf(view)).toMatchObject({ state: "parked", delegated: [{ runId: "run_c", agentId: "a" }] });
    view.apply({ seq: 9, timestamp: 1_050, type: "TOOL_CALL_RESULT", messageId: "m", toolCallId: "t", content: "4" });
    expect(view.status).toBe("parked");
    // Its step may be cut in two by the process that goes on with it.
    view.apply({ seq: 10, timestamp: 1_060, type: "STEP_FINISHED", stepName: "tool:delegate:c" });
    view.apply({ seq: 11, timestamp: 1_070, type: "STEP_STARTED", stepName: "tool:delegate:c" });
    expect([view.status, toolOf(view)?.state]).toEqual(["parked", "parked"]);
    view.apply({ seq: 12, timestamp: 2_000, type: "TOOL_CALL_RESULT", messageId: "m", toolCallId: "c", content: "ok" });
    expect(view).toMatchObject({ status: "running", delegatedRuns: 0 });
    expect(toolOf(view)).toMatchObject({ state: "done", result: "ok", startedAt: 1_030, endedAt: 2_000 });
    expect(kinds(view)).toEqual(["tool", "tool"]);
  });

  test("a call that hands several tasks over waits for all of their runs, each of them once", () => {
    const view = viewOf([
      ...started,
      { seq: 4, timestamp: 1_020, type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "delegate" },
      waiting(5, "r2"),
      waiting(6, "r3"),
      waiting(7, "r2"),
    ]);

    expect(toolOf(view)?.delegated.map(({ runId }) => runId)).toEqual(["r2", "r3"]);
    expect(view.delegatedRuns).toBe(2);
  });

  test("a conversation that was made shorter for the model says so", () => {
    const value = { title: "t", cleared_results: 4, summarized_messages: 0, tokens_before: 900, tokens_after: 300 };
    const view = viewOf([...started, { seq: 4, timestamp: 1_020, ...custom("compacted", value) }]);

    expect(view.items.at(-1)).toMatchObject({
      kind: "compacted",
      clearedResults: 4,
      tokensBefore: 900,
      tokensAfter: 300,
    });
  });

  test("a tool says how far it is, and what it wrote", () => {
    const view = viewOf([
      ...started,
      { seq: 4, timestamp: 1_020, type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "index" },
      { seq: 5, timestamp: 1_030, ...custom("progress", { tool_call_id: "c", fraction: 0.4 }) },
      { seq: 6, timestamp: 1_040, ...custom("tool_output", { tool_call_id: "c", text: "4 of 10" }) },
    ]);

    expect(toolOf(view)).toMatchObject({ progress: 0.4, output: "4 of 10" });
  });

  test("a call that is delegated when the run is canceled is interrupted", () => {
    const view = viewOf([
      ...started,
      { seq: 4, timestamp: 1_020, type: "TOOL_CALL_START", toolCallId: "c", toolCallName: "delegate" },
      {
        seq: 5,
        timestamp: 1_020,
        type: "CUSTOM",
        name: "evenkeel.waiting",
        value: { tool_call_id: "c", run_id: "r2" },
      },
      { seq: 6, timestamp: 1_040, type: "RUN_FINISHED", threadId: "t", runId: "r", outcome: { type: "cancelled" } },
    ]);
    expect(view).toMatchObject({ status: "canceled", delegatedRuns: 0 });
    expect(toolOf(view)).toMatchObject({ state: "interrupted", delegated: [{ runId: "r2" }] });
  });

  test("events of unknown types and shapes change nothing but the position", () => {
    const view = viewOf([
      ...started,
      { seq: 4, type: "NEWS" } as unknown as WireEvent,
      { seq: 5, type: "CUSTOM", name: "evenkeel.attempt", value: null },
      { seq: 6, type: "TOOL_CALL_RESULT", messageId: "m", toolCallId: "unknown", content: "x" },
    ]);
    expect(kinds(view)).toEqual(["attempt"]);
    expect([readEvent(null), readEvent("x"), readEvent({})]).toEqual([undefined, undefined, undefined]);
  });

  test("cached tokens are counted once", () => {
    const usage = [{ inputTokens: 100, outputTokens: 5, cachedInputTokens: 60, cacheWriteInputTokens: 30 }];
    const view = viewOf([...started, { seq: 4, type: "RUN_FINISHED", threadId: "t", runId: "r", usage }]);
    expect(view.usage).toEqual({
      input_tokens: 10,
      output_tokens: 5,
      cache_read_input_tokens: 60,
      cache_creation_input_tokens: 30,
    });
  });

  test("200,000 deltas take no longer each than the first ones", () => {
    const view = viewOf([...started, { seq: 4, type: "TEXT_MESSAGE_START", messageId: "m", role: "assistant" }]);
    const began = performance.now();
    for (let seq = 5; seq < 200_005; seq += 1) {
      view.apply({ seq, timestamp: seq, type: "TEXT_MESSAGE_CONTENT", messageId: "m", delta: "some words " });
    }
    expect(only(view, "text")[0]?.text.length).toBe(200_000 * 11);
    // [about 60 ms]
    expect(performance.now() - began).toBeLessThan(1_500);
  });
});
