import { expect, test } from "vitest";
import { ACTIVITY_TYPES, activityOf, type NewActivity } from "./activity.ts";
import { customEvent, terminalEvent, type RunEvent } from "./event.ts";
import { NO_USAGE, type Outcome } from "./run.ts";

const RUN = { run_id: "run_1", thread_id: "thread_1" };

test.each<[string, RunEvent, NewActivity]>([
  [
    "a queued run",
    customEvent("evenkeel.queued", { agent_id: "assistant", ahead: 3 }),
    { type: "run.queued", detail: {} },
  ],
  [
    "a claimed run",
    customEvent("evenkeel.claimed", { owner: "owner_1", machine: "local", attempt: 2 }),
    { type: "run.started", detail: { attempt: 2 } },
  ],
  [
    "a run that is tried again",
    customEvent("evenkeel.attempt", {
      of: "run",
      attempt: 2,
      reason: "its process died",
      void: ["msg_1"],
    }),
    { type: "run.retried", detail: { attempt: 2, reason: "its process died" } },
  ],
  ["a completed run", ended({ status: "completed", reply: "long text" }), { type: "run.completed", detail: {} }],
  ["a canceled run", ended({ status: "canceled" }), { type: "run.canceled", detail: {} }],
  [
    "a failed run",
    ended({ status: "failed", error: { code: "POISONED", detail: "it crashed" } }),
    { type: "run.failed", detail: { code: "POISONED", message: "it crashed" } },
  ],
])("%s is in the feed", (_name, event, activity) => {
  expect(activityOf(event)).toEqual(activity);
  expect(ACTIVITY_TYPES).toContain(activityOf(event)?.type);
});

test.each<RunEvent>([
  { type: "RUN_STARTED", threadId: "thread_1", runId: "run_1" },
  { type: "STEP_STARTED", stepName: "model call 1" },
  { type: "TEXT_MESSAGE_START", messageId: "msg_1" },
  { type: "TEXT_MESSAGE_CONTENT", messageId: "msg_1", delta: "a" },
  { type: "REASONING_MESSAGE_CONTENT", messageId: "msg_1", delta: "a" },
  { type: "TOOL_CALL_ARGS", toolCallId: "call_1", delta: "{" },
  { type: "CUSTOM", name: "somebody.else", value: null },
])("$type is not in the feed", (event) => {
  expect(activityOf(event)).toBeUndefined();
});

function ended(outcome: Outcome): RunEvent {
  return terminalEvent(RUN, outcome, NO_USAGE);
}
