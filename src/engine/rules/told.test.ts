import { expect, test } from "vitest";
import type { ToolCall } from "../engine.ts";
import { claimedEvent, handedBackEvent, ledgerActivity, queuedEvents } from "./told.ts";

const CALL: ToolCall = { stepsBefore: 1, toolCallId: "call_1", name: "clock", effects: "pure", result: null };
const ASKED = { tool: "clock", tool_call_id: "call_1" };

test.each([
  ["began", CALL, { type: "tool.called", detail: ASKED }],
  [
    "ended",
    { ...CALL, result: { content: "noon", isError: false } },
    { type: "tool.finished", detail: { ...ASKED, is_error: false } },
  ],
  [
    "failed",
    { ...CALL, result: { content: "no", isError: true } },
    { type: "tool.finished", detail: { ...ASKED, is_error: true } },
  ],
])("a tool call that %s", (_what, call, activity) => {
  expect(ledgerActivity(call)).toEqual(activity);
});

test("a new run begins with RUN_STARTED and its place in the queue", () => {
  const run = { run_id: "run_1", thread_id: "thread_1", agent_id: "assistant" };
  expect(queuedEvents(run, 3)).toEqual([
    { type: "RUN_STARTED", runId: "run_1", threadId: "thread_1" },
    { type: "CUSTOM", name: "evenkeel.queued", value: { agent_id: "assistant", ahead: 3 } },
  ]);
});

test("a claim names the process and its machine", () => {
  const event = claimedEvent({ machine: "m", boot: "b", process: "agent-1-7" }, 2);
  expect(event).toMatchObject({ name: "evenkeel.claimed", value: { owner: "agent-1-7", machine: "m", attempt: 2 } });
});

test("a run that is handed back counts the attempt to come", () => {
  expect(handedBackEvent({ attempts: 1 }, "its process died", ["msg_1"])).toMatchObject({
    name: "evenkeel.attempt",
    value: { of: "run", attempt: 2, reason: "its process died", void: ["msg_1"] },
  });
});
