import { EventSchema } from "@ag-ui/core/schemas";
import { describe, expect, test } from "vitest";
import {
  customEvent,
  isTerminal,
  MODEL_STEP,
  OpenItems,
  terminalEvent,
  type RunEvent,
  type RunEventType,
} from "./event.ts";
import { NO_USAGE, type Outcome, type Usage } from "./run.ts";

const RUN = { run_id: "run_1", thread_id: "thread_1" };

/** One of each type: the compiler asks for a new one when a type is added. */
const EVENTS: { readonly [T in RunEventType]: Extract<RunEvent, { type: T }> } = {
  RUN_STARTED: { type: "RUN_STARTED", threadId: "thread_1", runId: "run_1" },
  RUN_FINISHED: { type: "RUN_FINISHED", threadId: "thread_1", runId: "run_1" },
  RUN_ERROR: { type: "RUN_ERROR", message: "no answer", code: "MODEL_UNAVAILABLE" },
  STEP_STARTED: { type: "STEP_STARTED", stepName: "model call 1" },
  STEP_FINISHED: { type: "STEP_FINISHED", stepName: "model call 1" },
  TEXT_MESSAGE_START: { type: "TEXT_MESSAGE_START", messageId: "msg_1", role: "assistant" },
  TEXT_MESSAGE_CONTENT: { type: "TEXT_MESSAGE_CONTENT", messageId: "msg_1", delta: "a" },
  TEXT_MESSAGE_END: { type: "TEXT_MESSAGE_END", messageId: "msg_1" },
  REASONING_START: { type: "REASONING_START", messageId: "msg_2" },
  REASONING_MESSAGE_START: { type: "REASONING_MESSAGE_START", messageId: "msg_2", role: "reasoning" },
  REASONING_MESSAGE_CONTENT: { type: "REASONING_MESSAGE_CONTENT", messageId: "msg_2", delta: "a" },
  REASONING_MESSAGE_END: { type: "REASONING_MESSAGE_END", messageId: "msg_2" },
  REASONING_END: { type: "REASONING_END", messageId: "msg_2" },
  TOOL_CALL_START: { type: "TOOL_CALL_START", toolCallId: "call_1", toolCallName: "clock" },
  TOOL_CALL_ARGS: { type: "TOOL_CALL_ARGS", toolCallId: "call_1", delta: "{}" },
  TOOL_CALL_END: { type: "TOOL_CALL_END", toolCallId: "call_1" },
  TOOL_CALL_RESULT: { type: "TOOL_CALL_RESULT", toolCallId: "call_1", messageId: "msg_3", content: "noon" },
  CUSTOM: { type: "CUSTOM", name: "evenkeel.test", value: {} },
};

const OUTCOMES: Outcome[] = [
  { status: "completed", reply: "" },
  { status: "failed", error: { code: "POISONED", detail: "it crashed" } },
  { status: "canceled" },
];

const USAGE: Usage = {
  input_tokens: 100,
  output_tokens: 20,
  cache_read_input_tokens: 30,
  cache_creation_input_tokens: 4,
};

describe("AG-UI's own schema", () => {
  test.each(Object.values(EVENTS))("accepts our $type as a journal row carries it", (event) => {
    expect(problemOf(event)).toBeUndefined();
  });

  test("refuses what it does not know, so that accepting means something", () => {
    expect(EventSchema.safeParse({ type: "RUN_FINISHED", threadId: "thread_1" }).success).toBe(false);
    expect(EventSchema.safeParse({ type: "evenkeel.queued" }).success).toBe(false);
  });

  test.each([
    customEvent("evenkeel.queued", { agent_id: "assistant", ahead: 0 }),
    customEvent("evenkeel.claimed", { owner: "owner_1", machine: "local", attempt: 1 }),
    customEvent("evenkeel.attempt", { of: "model_call", attempt: 2, reason: "529", void: ["msg_1"], wait_ms: 5 }),
  ])("accepts our custom event %#", (event) => {
    expect(problemOf(event)).toBeUndefined();
    expect(event.type).toBe("CUSTOM");
  });

  test.each(OUTCOMES)("accepts the end of a run that is $status", (outcome) => {
    expect(problemOf(terminalEvent(RUN, outcome, USAGE))).toBeUndefined();
    expect(problemOf(terminalEvent(RUN, outcome, NO_USAGE))).toBeUndefined();
  });

  test("accepts everything that closes what was left open", () => {
    const open = new OpenItems();
    for (const event of Object.values(EVENTS)) if (isOpener(event)) open.see(event);

    const { events } = open.close();

    expect(events).toHaveLength(5);
    for (const event of events) expect(problemOf(event)).toBeUndefined();
  });
});

describe("terminalEvent", () => {
  test("a completed run finishes with its reply, also when that is empty", () => {
    expect(terminalEvent(RUN, { status: "completed", reply: "" }, USAGE)).toMatchObject({
      type: "RUN_FINISHED",
      threadId: "thread_1",
      runId: "run_1",
      outcome: { type: "success" },
      result: { reply: "", finish_reason: "stop" },
    });
  });

  test("a canceled run finishes with AG-UI's outcome cancelled and without a result", () => {
    const event = terminalEvent(RUN, { status: "canceled" }, USAGE);

    expect(event).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "cancelled" } });
    expect(event).not.toHaveProperty("result");
  });

  test("a failed run ends in RUN_ERROR with our code and what to say of it", () => {
    const error = { code: "STEP_LIMIT", detail: "It took 40 steps." } as const;

    expect(terminalEvent(RUN, { status: "failed", error }, USAGE)).toMatchObject({
      type: "RUN_ERROR",
      code: "STEP_LIMIT",
      message: "It took 40 steps.",
    });
  });

  test.each<[Outcome, string]>([
    [{ status: "completed", reply: "" }, "stop"],
    [{ status: "completed", reply: "half", finishReason: "max_tokens" }, "max_tokens"],
    [{ status: "canceled" }, "canceled"],
    [{ status: "failed", error: { code: "MODEL_UNAVAILABLE", detail: "" } }, "error"],
    [{ status: "failed", error: { code: "STEP_LIMIT", detail: "" } }, "step_limit"],
    [{ status: "failed", error: { code: "RUN_TIMEOUT", detail: "" } }, "time_limit"],
    [{ status: "failed", error: { code: "MODEL_REFUSED", detail: "" } }, "refusal"],
  ])("the terminal event of %o says why the run ended", (outcome, reason) => {
    const event = terminalEvent(RUN, outcome, USAGE);

    expect(event).toMatchObject({ finish_reason: reason });
  });

  test("tokens are counted as AG-UI counts them: what the cache took or gave is a part of the input", () => {
    const event = terminalEvent(RUN, { status: "canceled" }, USAGE);

    // The Messages API counts differently: its input_tokens leave out all cached tokens.
    expect(event).toMatchObject({
      usage: [{ inputTokens: 134, outputTokens: 20, cachedInputTokens: 30, cacheWriteInputTokens: 4 }],
    });
  });

  test.each(OUTCOMES)("no optional field of the end of a run that is $status is null", (outcome) => {
    expect(JSON.stringify(terminalEvent(RUN, outcome, NO_USAGE))).not.toContain("null");
  });

  test("a terminal event is one of two types", () => {
    const terminal = Object.values(EVENTS).filter(({ type }) => isTerminal(type));

    expect(terminal.map(({ type }) => type)).toEqual(["RUN_FINISHED", "RUN_ERROR"]);
  });
});

describe("OpenItems", () => {
  test("what was opened is closed innermost first", () => {
    const open = new OpenItems();
    const { STEP_STARTED, REASONING_START, REASONING_MESSAGE_START, TEXT_MESSAGE_START, TOOL_CALL_START } = EVENTS;
    for (const event of [STEP_STARTED, REASONING_START, REASONING_MESSAGE_START]) open.see(event);
    for (const event of [TEXT_MESSAGE_START, TOOL_CALL_START]) open.see(event);

    const { events } = open.close();

    expect(events).toEqual([
      EVENTS.TOOL_CALL_END,
      EVENTS.TEXT_MESSAGE_END,
      EVENTS.REASONING_MESSAGE_END,
      EVENTS.REASONING_END,
      EVENTS.STEP_FINISHED,
    ]);
  });

  test("messages and tool calls that stay unfinished are named once, steps are not", () => {
    const open = new OpenItems();
    const { STEP_STARTED, REASONING_START, REASONING_MESSAGE_START, TOOL_CALL_START } = EVENTS;
    for (const event of [STEP_STARTED, REASONING_START, REASONING_MESSAGE_START, TOOL_CALL_START]) open.see(event);

    expect(open.close().voided.toSorted()).toEqual(["call_1", "msg_2"]);
  });

  test("what was closed is not closed again, whatever came between", () => {
    const open = new OpenItems();
    for (const event of Object.values(EVENTS)) open.see(event);

    expect(open.close().events).toEqual([]);
  });

  test("what a model call showed is void until its step is finished, even when it is closed", () => {
    const open = new OpenItems();
    open.see({ type: "STEP_STARTED", stepName: MODEL_STEP });
    for (const event of [EVENTS.TEXT_MESSAGE_START, EVENTS.TEXT_MESSAGE_END]) open.see(event);
    expect(open.close().voided).toEqual(["msg_1"]);

    open.see({ type: "STEP_STARTED", stepName: MODEL_STEP });
    for (const event of [EVENTS.TEXT_MESSAGE_START, EVENTS.TEXT_MESSAGE_END]) open.see(event);
    open.see({ type: "STEP_FINISHED", stepName: MODEL_STEP });
    expect(open.close()).toEqual({ events: [], voided: [] });
  });

  test("content and results open nothing and close nothing", () => {
    const open = new OpenItems();
    const { TEXT_MESSAGE_START, TEXT_MESSAGE_CONTENT, TOOL_CALL_RESULT, CUSTOM } = EVENTS;
    for (const event of [TEXT_MESSAGE_CONTENT, TEXT_MESSAGE_START, TEXT_MESSAGE_CONTENT]) open.see(event);
    for (const event of [{ ...TOOL_CALL_RESULT, messageId: "msg_1" }, CUSTOM]) open.see(event);

    expect(open.close()).toEqual({ events: [EVENTS.TEXT_MESSAGE_END], voided: ["msg_1"] });
  });

  test("a message and a tool call of the same id are told apart", () => {
    const open = new OpenItems();
    open.see({ type: "TEXT_MESSAGE_START", messageId: "same" });
    open.see({ type: "TOOL_CALL_START", toolCallId: "same", toolCallName: "clock" });
    open.see({ type: "TEXT_MESSAGE_END", messageId: "same" });

    expect(open.close().events).toEqual([{ type: "TOOL_CALL_END", toolCallId: "same" }]);
  });

  test("once closed there is nothing to close", () => {
    const open = new OpenItems();
    open.see(EVENTS.TEXT_MESSAGE_START);
    open.close();

    expect(open.close()).toEqual({ events: [], voided: [] });
  });
});

/** What AG-UI's schema finds wrong with the event as a journal row holds it. */
function problemOf(event: RunEvent): string | undefined {
  const row: unknown = JSON.parse(JSON.stringify({ seq: 1, timestamp: Date.now(), ...event }));
  return EventSchema.safeParse(row).error?.message;
}

function isOpener({ type }: RunEvent): boolean {
  return type !== "RUN_STARTED" && (type.endsWith("_START") || type.endsWith("_STARTED"));
}
