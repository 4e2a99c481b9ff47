import { describe, expect, test } from "vitest";
import { ACTIVITY_TYPES, activityOf, withRun, type NewActivity } from "./activity.ts";
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

describe("an activity of a run says of it", () => {
  const usage = { input_tokens: 10, output_tokens: 7, cache_read_input_tokens: 5, cache_creation_input_tokens: 0 };
  const run = { title: "Sum up", created_at: 1_000, usage };

  test.each(["run.queued", "run.started", "run.retried", "run.parked", "run.resumed"] as const)(
    "its title at %s",
    (type) => {
      expect(withRun({ type, detail: { attempt: 1 } }, run, 1_000).detail).toEqual({ attempt: 1, title: "Sum up" });
    },
  );

  test("how long it took and what it used when it ends", () => {
    const { detail } = withRun({ type: "run.failed", detail: { code: "INTERNAL" } }, run, 3_500);

    expect(detail).toEqual({
      code: "INTERNAL",
      title: "Sum up",
      duration_ms: 2_500,
      input_tokens: 15,
      output_tokens: 7,
    });
  });

  test("no tokens when the model has told none, and no time below zero", () => {
    const { detail } = withRun({ type: "run.canceled", detail: {} }, { ...run, usage: NO_USAGE }, 900);

    expect(detail).toEqual({ title: "Sum up", duration_ms: 0 });
  });
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
