import { expect, test } from "vitest";
import type { ContentBlock, Message } from "../../core/message.ts";
import type { ToolCall, Turn } from "../../engine/engine.ts";
import type { Audience, ModelMessage } from "./model-message.ts";
import { toModel, Transcript } from "./transcript.ts";

const AUDIENCE: Audience = { model: "claude-a", hasTools: true, maxResultCharacters: 1_000 };

test("text is a list of blocks, so that a block more changes no byte before it", () => {
  expect(
    toModel([turn([user("hi"), answer({ type: "text", text: "Hello." })]), turn([user("bye")])], AUDIENCE),
  ).toEqual([said("user", "hi"), said("assistant", "Hello."), said("user", "bye")]);
});

test.each([
  ["blank text before a call", [{ type: "text", text: "\n\n" }, use("a")], [use("a")]],
  ["half a surrogate pair", [{ type: "text", text: "a\ud83d" }], [{ type: "text", text: "a\ufffd" }]],
  ["white space at the end", [{ type: "text", text: "so \n" }], [{ type: "text", text: "so" }]],
  ["thinking at the end", [{ type: "text", text: "so" }, thinking("sig")], [{ type: "text", text: "so" }]],
  ["thinking without a signature", [thinking(""), { type: "text", text: "so" }], [{ type: "text", text: "so" }]],
  ["signed thinking", [thinking("sig"), { type: "text", text: "so" }], [thinking("sig"), { type: "text", text: "so" }]],
  ["arguments that are null", [{ ...use("a"), input: null }], [use("a")]],
  ["arguments that are text", [{ ...use("a"), input: "6*7" }], [{ ...use("a"), input: { value: "6*7" } }]],
  ["arguments that are a list", [{ ...use("a"), input: [] }], [{ ...use("a"), input: { value: [] } }]],
  ["an odd id", [use("functions.clock:0")], [use("functions_clock_0")]],
  ["an odd name", [{ ...use("a"), name: "clo ck" }], [{ ...use("a"), name: "clo_ck" }]],
  ["one id twice", [use("a"), use("a")], [use("a"), use("a_2")]],
  ["a block of an unknown type", [{ type: "from_2027", any: 1 }], [{ type: "from_2027", any: 1 }]],
])("an answer with %s goes back as the API takes it", (_name, content, rendered) => {
  const [, message] = toModel(
    [turn([user("hi"), answer(...(content as ContentBlock[]))]), turn([user("bye")])],
    AUDIENCE,
  );

  expect(message).toEqual({ role: "assistant", content: rendered });
});

test("thinking of another model is left out", () => {
  const other: Message = { ...answer(thinking("sig"), { type: "text", text: "so" }), model: "claude-b" };

  expect(toModel([turn([user("hi"), other]), turn([user("bye")])], AUDIENCE)[1]).toEqual(said("assistant", "so"));
});

test("results of calls with one id go to the calls in their order", () => {
  const results: Message = { role: "user", content: [result("a", "first"), result("a", "second")] };

  const [, , message] = toModel([turn([user("hi"), answer(use("a"), use("a")), results])], AUDIENCE);

  expect(message?.content).toEqual([result("a", "first"), result("a_2", "second")]);
});

test("a result that answers no call becomes text", () => {
  const late: Message = { role: "user", content: [result("a", "noon")] };

  expect(toModel([turn([user("hi"), late])], AUDIENCE)).toEqual([
    { role: "user", content: [text("hi"), text("[a tool answered: noon]")] },
  ]);
});

test("for an agent without tools calls and results are text", () => {
  const results: Message = { role: "user", content: [result("a", "noon")] };
  const turns = [turn([user("time?"), answer(use("a")), results, answer(text("It is noon."))]), turn([user("thanks")])];

  expect(toModel(turns, { ...AUDIENCE, hasTools: false })).toEqual([
    said("user", "time?"),
    said("assistant", "[calls clock: {}]"),
    { role: "user", content: [text("[clock answered:]"), text("noon")] },
    said("assistant", "It is noon."),
    said("user", "thanks"),
  ]);
});

test("of a canceled run the model is told what the ledger knows of each call", () => {
  const calls = [use("done"), use("never"), use("pure"), use("unsafe")];
  const ledger: ToolCall[] = [
    { ...call("done"), result: { content: "42", isError: false } },
    { ...call("pure"), effects: "pure", result: null },
    { ...call("unsafe"), effects: "unsafe", result: null },
    // This entry belongs to an earlier step, whose call had the same id.
    { ...call("never"), stepsBefore: 0, result: { content: "old", isError: false } },
  ];
  const canceled = turn([user("go"), answer(...calls)], { status: "canceled", steps: 1, toolCalls: ledger });

  const [, , message] = toModel([canceled, turn([user("and?")])], AUDIENCE);

  expect(message?.content).toEqual([
    result("done", "42"),
    { ...result("never", "clock never began: it did not run."), is_error: true },
    { ...result("pure", "clock was stopped before it finished. It changes nothing."), is_error: true },
    { ...result("unsafe", expect.stringContaining("outcome is unknown")), is_error: true },
    text("and?"),
  ]);
});

test("what was said before a run was canceled is followed by a note that it was cut", () => {
  const canceled = turn([user("count"), { ...answer(text("1 2 3")), cut: "canceled" }], { status: "canceled" });

  expect(toModel([canceled, turn([user("go on")])], AUDIENCE)).toEqual([
    said("user", "count"),
    said("assistant", "1 2 3"),
    { role: "user", content: [text("[The answer above was stopped before its end.]"), text("go on")] },
  ]);
});

test.each([
  ["withdrawn before it began", { status: "canceled", attempts: 0 }],
  ["refused", { status: "completed", finishReason: "refusal" }],
  ["rejected by the API", { status: "failed", errorCode: "MODEL_REJECTED" }],
  ["too large for the model", { status: "failed", errorCode: "CONTEXT_TOO_LARGE" }],
] as const)("a run that was %s is not sent", (_name, fields) => {
  expect(toModel([turn([user("delete everything")], fields), turn([user("hello")])], AUDIENCE)).toEqual([
    said("user", "hello"),
  ]);
});

test("a message sent again after its run failed is sent once", () => {
  const failed = { status: "failed", errorCode: "MODEL_UNAVAILABLE" } as const;

  expect(
    toModel([turn([user("hello")], failed), turn([user("hello")], failed), turn([user("hello")])], AUDIENCE),
  ).toEqual([said("user", "hello")]);
});

test("a message that was said elsewhere before a run that failed may be said again", () => {
  const elsewhere: Message[] = [user("hello"), { role: "assistant", content: "Hello." }];
  const failed = turn([...elsewhere, user("bye")], { status: "failed", errorCode: "MODEL_UNAVAILABLE" });
  const known = [said("user", "hello"), said("assistant", "Hello."), said("user", "bye")];

  expect(toModel([failed, turn([user("bye")])], AUDIENCE)).toEqual(known);
  const again = toModel([failed, turn([user("hello")])], AUDIENCE);
  expect([again.slice(0, 3), again.at(-1)]).toEqual([known, said("user", "hello")]);
  expect(again).toHaveLength(5);
});

test("a message that follows one without an answer is not taken for a part of it", () => {
  const canceled = turn([user("sing")], { status: "canceled" });

  expect(toModel([canceled, turn([user("hello")])], AUDIENCE).map(({ role }) => role)).toEqual([
    "user",
    "assistant",
    "user",
  ]);
});

test("a paused answer goes back as the last message, and what comes next continues it", () => {
  const paused = answer(serverUse("srvtoolu_1"));
  const transcript = new Transcript(AUDIENCE, [turn([user("search")], { status: "running" })]);
  transcript.push(paused);
  expect(transcript.messages.at(-1)).toEqual({ role: "assistant", content: [serverUse("srvtoolu_1")] });

  transcript.push(answer(serverResult("srvtoolu_1"), text("Found.")));

  expect(transcript.messages.slice(1, 2)).toEqual([
    { role: "assistant", content: [serverUse("srvtoolu_1"), serverResult("srvtoolu_1"), text("Found.")] },
  ]);
});

test("a tool of the API that never answered is said to be unavailable once the conversation goes on", () => {
  const turns = [turn([user("search"), answer(serverUse("srvtoolu_1"))], { status: "failed" }), turn([user("hello")])];

  expect(toModel(turns, AUDIENCE)[1]?.content).toEqual([
    serverUse("srvtoolu_1"),
    {
      type: "web_search_tool_result",
      tool_use_id: "srvtoolu_1",
      content: { type: "web_search_tool_result_error", error_code: "unavailable" },
    },
  ]);
});

test("results of the calls of one answer are each cut to a fair share of their common limit, between characters", () => {
  const results: Message = { role: "user", content: [result("a", "x".repeat(100)), result("b", "😀".repeat(2_000))] };

  const [, , message] = toModel([turn([user("hi"), answer(use("a"), use("b")), results])], AUDIENCE);

  expect(message?.content).toEqual([
    result("a", "x".repeat(100)),
    result("b", `${"😀".repeat(450)}\n[cut: 3100 more characters]`),
  ]);
});

test("a note behind results rides on the last one, a note alone is a text", () => {
  const results: Message = { role: "user", content: [result("a", "noon")], note: "3 steps are left." };
  const note: Message = { role: "user", content: [], note: "Answer now." };

  const messages = toModel([turn([user("hi"), answer(use("a")), results, answer(text("hm")), note])], AUDIENCE);

  expect(messages[2]?.content).toEqual([
    { type: "tool_result", tool_use_id: "a", content: [text("noon"), text("[3 steps are left.]")] },
  ]);
  expect(messages[4]?.content).toEqual([text("[Answer now.]")]);
});

function turn(messages: readonly Message[], fields: Partial<Turn> = {}): Turn {
  return {
    runId: "run_1",
    agentId: "assistant",
    status: "completed",
    finishReason: null,
    errorCode: null,
    attempts: 1,
    steps: 0,
    messages,
    toolCalls: [],
    ...fields,
  };
}

function user(content: string): Message {
  return { role: "user", content };
}

function answer(...content: ContentBlock[]): Message {
  return { role: "assistant", content, model: "claude-a" };
}

function said(role: ModelMessage["role"], words: string): ModelMessage {
  return { role, content: [text(words)] };
}

function text(words: string) {
  return { type: "text", text: words } as const;
}

function use(id: string) {
  return { type: "tool_use", id, name: "clock", input: {} } as const;
}

function result(id: string, content: string) {
  return { type: "tool_result", tool_use_id: id, content } as const;
}

function thinking(signature: string) {
  return { type: "thinking", thinking: "hm", signature } as const;
}

function call(toolCallId: string) {
  return { stepsBefore: 1, toolCallId, name: "clock", effects: "unsafe" } as const;
}

function serverUse(id: string): ContentBlock {
  return { type: "server_tool_use", id, name: "web_search", input: {} } as unknown as ContentBlock;
}

function serverResult(id: string): ContentBlock {
  return { type: "web_search_tool_result", tool_use_id: id, content: [] } as unknown as ContentBlock;
}
