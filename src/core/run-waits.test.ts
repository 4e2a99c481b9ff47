import { describe, expect, test } from "vitest";
import { customEvent, terminalEvent, type RunEvent } from "./event.ts";
import { NO_USAGE } from "./run.ts";
import { RunWaits } from "./run-waits.ts";

const model: RunEvent[] = [
  { type: "STEP_STARTED", stepName: "model" },
  { type: "STEP_FINISHED", stepName: "model" },
];
const shortens: RunEvent = { type: "STEP_STARTED", stepName: "compact" };
const starts = (id: string, tool = "delegate"): RunEvent => ({ type: "STEP_STARTED", stepName: `tool:${tool}:${id}` });
const stops = (id: string, tool = "delegate"): RunEvent => ({ type: "STEP_FINISHED", stepName: `tool:${tool}:${id}` });
const result = (id: string): RunEvent => ({
  type: "TOOL_CALL_RESULT",
  messageId: "m",
  toolCallId: id,
  content: "",
});
const delegates = (id: string, agent = "a") =>
  customEvent("evenkeel.waiting", { reason: `delegated to ${agent}`, tool_call_id: id, run_id: "r", agent_id: agent });
const limited = customEvent("evenkeel.waiting", { reason: "a rate limit", until: 9 });
const claimed = customEvent("evenkeel.claimed", { owner: "agent 1", machine: "m", attempt: 2 });
const handedBack = customEvent("evenkeel.attempt", { of: "run", attempt: 2, reason: "its process died", void: [] });
const ended = terminalEvent({ run_id: "r", thread_id: "t" }, { status: "canceled" }, NO_USAGE);

const FOR_A = { reason: "delegated to a", until: null };

function waitAfter(...events: readonly RunEvent[]) {
  const waits = new RunWaits();
  for (const event of events) waits.see(event);
  return waits.wait;
}

describe("a run is parked", () => {
  test.each([
    ["while its model limits it", [limited], { reason: "a rate limit", until: 9 }],
    ["while its only call waits for a delegated run", [...model, starts("c"), delegates("c")], FOR_A],
    ["when the calls beside it have ended", [starts("t", "add"), starts("c"), delegates("c"), result("t")], FOR_A],
    [
      "while one of two delegated runs goes on",
      [starts("b"), starts("c"), delegates("b", "a"), delegates("c", "z"), result("c"), stops("c")],
      FOR_A,
    ],
    [
      "again when another process has taken its call over",
      [starts("c"), delegates("c"), stops("c"), handedBack, claimed, starts("c")],
      FOR_A,
    ],
  ])("%s", (_when, events, wait) => {
    expect(waitAfter(...events)).toEqual(wait);
  });
});

describe("a run is not parked", () => {
  test.each([
    ["while another of its tools works", [starts("t", "add"), starts("c"), delegates("c")]],
    ["when the delegated run has ended", [starts("c"), delegates("c"), result("c"), stops("c")]],
    ["when its next model call begins", [limited, ...model]],
    ["when the call that shortens its conversation begins", [limited, shortens]],
    ["while it is back in the queue", [starts("c"), delegates("c"), stops("c"), handedBack]],
    ["when another process has claimed it", [limited, claimed]],
    ["when it is over", [limited, ended]],
  ])("%s", (_when, events) => {
    expect(waitAfter(...events)).toBeNull();
  });
});
