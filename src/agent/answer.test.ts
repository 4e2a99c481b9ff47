/** What we keep of a streamed answer, compared with what the SDK's own reader makes of the same bytes. */
import Anthropic from "@anthropic-ai/sdk";
import type { MessageCreateParamsStreaming, RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages";
import { expect, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { openFixture } from "../simulator/fixture.ts";
import { streamed } from "../testing/streamed.ts";
import { AnswerReader, type Answer } from "./answer.ts";
import { readEvents } from "./event-stream.ts";
import { RunJournal } from "./run-journal.ts";

const paramsOf = (content = "hello"): MessageCreateParamsStreaming => ({
  model: "test-model",
  max_tokens: 1_000,
  messages: [{ role: "user", content }],
  stream: true,
});

async function answerTo(client: Anthropic, content?: string): Promise<Answer> {
  const { reader, reading } = read(client, content);
  await reading;
  return reader.whole();
}

function read(client: Anthropic, content?: string): { reader: AnswerReader; reading: Promise<void> } {
  const engine = { append: async () => {} } as unknown as Engine;
  const signal = new AbortController().signal;
  const journal = new RunJournal({ engine, runId: "run", fence: 1, signal, onCanceled: () => {}, onLost: () => {} });
  const reader = new AnswerReader(journal);
  const listener = { onSign: () => {}, onEvent: (event: RawMessageStreamEvent) => reader.see(event) };
  const events = async () => {
    const response = await client.messages.create(paramsOf(content)).asResponse();
    await readEvents(streamed(response), listener).finally(() => journal.stop());
  };
  return { reader, reading: events() };
}

/** What the SDK reads (as far as we keep it), and what we read. */
async function bothRead(client: Anthropic, content?: string): Promise<{ theirs: unknown; ours: unknown }> {
  const {
    content: blocks,
    usage,
    stop_reason: stopReason,
  } = await client.messages.stream(paramsOf(content)).finalMessage();
  const ours = await answerTo(client, content);
  const kept = ours.content.map((block, index) => pick(blocks[index], Object.keys(block)));
  return {
    theirs: {
      stopReason,
      blocks: blocks.length,
      content: kept.map(withoutId),
      usage: pick(usage, Object.keys(ours.usage)),
    },
    ours: { ...ours, blocks: ours.content.length, content: ours.content.map(withoutId) },
  };
}

const pick = (from: object | undefined, keys: readonly string[]) =>
  Object.fromEntries(Object.entries(from ?? {}).filter(([key]) => keys.includes(key)));

/** Ids of tool calls are new in each answer, so they are not compared. */
const withoutId = (block: object) => ({ ...block, id: undefined });

test.each([
  "/sim tokens=5",
  "/sim tokens=0",
  "/sim thinking=4 tokens=3",
  "/sim tool=calculate input={}",
  '/sim tool=search input={"query":"Käse 🧀 \\"fresh\\"","limits":[1,2.5,null]} tool=calculate input={"sum":"1+1"}',
  '/sim tool=search input={"query":"Käse 🧀"} drip',
])("the answer to %s is the one that the SDK reads", async (content) => {
  await using fixture = await openFixture();

  const { theirs, ours } = await bothRead(fixture.client, content);

  expect(ours).toEqual(theirs);
});

interface Event {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A client whose model sends exactly these events. */
function clientHearing(...events: readonly Event[]): Anthropic {
  const body = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
  const headers = { "content-type": "text/event-stream" };
  return new Anthropic({ apiKey: "any", maxRetries: 0, fetch: async () => new Response(body, { headers }) });
}

const usage = { input_tokens: 10, output_tokens: 1, cache_read_input_tokens: 5, cache_creation_input_tokens: 0 };
const start: Event = { type: "message_start", message: { id: "msg_1", role: "assistant", content: [], usage } };
const stop: Event = { type: "message_stop" };
const delta = (stopReason: string, more: object = {}): Event => ({
  type: "message_delta",
  delta: { stop_reason: stopReason },
  usage: { output_tokens: 20, ...more },
});

/** One content block with its deltas. */
const block = (index: number, begun: object, ...deltas: readonly object[]): Event[] => [
  { type: "content_block_start", index, content_block: begun },
  ...deltas.map((more) => ({ type: "content_block_delta", index, delta: more })),
  { type: "content_block_stop", index },
];

const tool = { type: "tool_use", id: "toolu_1", name: "search", input: {} };
const json = (text: string) => ({ type: "input_json_delta", partial_json: text });

const thinking = block(
  0,
  { type: "thinking", thinking: "", signature: "" },
  { type: "thinking_delta", thinking: "Let me " },
  { type: "thinking_delta", thinking: "see." },
  { type: "signature_delta", signature: "c2lnbmVk" },
);
const redacted = block(1, { type: "redacted_thinking", data: "c2VjcmV0" });

test.each<[string, Event[]]>([
  ["counters of the whole answer", [start, delta("end_turn", { cache_creation_input_tokens: 7 }), stop]],
  ["counters that changed", [start, delta("end_turn", { input_tokens: 11, cache_read_input_tokens: 6 }), stop]],
  ["thinking, shown and redacted", [start, ...thinking, ...redacted, delta("end_turn"), stop]],
  ["a tool call without arguments", [start, ...block(0, tool), delta("tool_use"), stop]],
  // Some endpoints write it like this.
  [
    "a block that begins without its text",
    [start, ...block(0, { type: "text" }, { type: "text_delta", text: "Hello" }), delta("end_turn"), stop],
  ],
])("%s: as the SDK reads it", async (_, events) => {
  const { theirs, ours } = await bothRead(clientHearing(...events));

  expect(ours).toEqual(theirs);
});

test("empty text is not kept, and blocks of other types as they came", async () => {
  const result = { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [{ url: "https://a.b" }] };
  const search = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} };
  const events = [
    ...block(0, { type: "text", text: "" }),
    ...block(1, search, json('{"query":"a"}')),
    ...block(2, result),
    ...block(3, { type: "text", text: "" }, { type: "text_delta", text: "Found." }),
  ];

  const answer = await answerTo(clientHearing(start, ...events, delta("pause_turn"), stop));

  expect(answer).toMatchObject({ stopReason: "pause_turn" });
  expect(answer.content).toEqual([{ ...search, input: { query: "a" } }, result, { type: "text", text: "Found." }]);
});

test("of calls with one id, or none, each has its own", async () => {
  const events = [...block(0, tool), ...block(1, tool), ...block(2, { ...tool, id: undefined })];

  const answer = await answerTo(clientHearing(start, ...events, delta("tool_use"), stop));

  const ids = answer.content.map((call) => ("id" in call ? call.id : ""));
  expect(ids).toEqual(["toolu_1", expect.stringMatching(/^toolu_/), expect.stringMatching(/^toolu_/)]);
  expect(new Set(ids).size).toBe(3);
});

test("arguments that are null are none", async () => {
  const answer = await answerTo(clientHearing(start, ...block(0, tool, json("null")), delta("tool_use"), stop));

  expect(answer.content).toMatchObject([{ input: {} }]);
});

test("an attempt that breaks off is paid for, by what it said as long as nobody has counted it", async () => {
  const { reader, reading } = read(
    clientHearing(start, ...block(0, { type: "text" }, { type: "text_delta", text: "x".repeat(400) })),
  );
  await reading;

  expect(reader.usage).toMatchObject({ input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 100 });
  expect(reader.said).toEqual([{ type: "text", text: "x".repeat(400) }]);
});

test("what comes for a block that has ended changes nothing", async () => {
  const late = [{ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: " late" } }];
  const text = block(0, { type: "text", text: "" }, { type: "text_delta", text: "Found." });

  const answer = await answerTo(clientHearing(start, ...text, ...late, delta("end_turn"), stop));

  expect(answer.content).toEqual([{ type: "text", text: "Found." }]);
});

test("blocks that share an index are all kept", async () => {
  const first = block(0, { type: "text", text: "" }, { type: "text_delta", text: "One." });
  const second = block(0, { type: "text", text: "" }, { type: "text_delta", text: "Two." });

  const answer = await answerTo(clientHearing(start, ...first, ...second, delta("end_turn"), stop));

  expect(answer.content).toMatchObject([{ text: "One." }, { text: "Two." }]);
});

test.each(["max_tokens", "model_context_window_exceeded"])(
  "a tool call of an answer that ended by %s runs if its arguments are whole, and is marked if cut",
  async (stopReason) => {
    const events = [...block(0, tool, json('{"query":"ha"}')), ...block(1, { ...tool, id: "b" }, json('{"query":"ha'))];

    const answer = await answerTo(clientHearing(start, ...events, delta(stopReason), stop));

    expect(answer.content).toEqual([
      { ...tool, input: { query: "ha" } },
      { ...tool, id: "b", input: {}, cut: true },
    ]);
  },
);

test("a tool call whose arguments are no JSON, though nothing cut them, says how they began", async () => {
  const events = [...block(0, tool, json('{"query":')), delta("tool_use"), stop];

  const { content } = await answerTo(clientHearing(start, ...events));

  expect(content).toEqual([{ ...tool, input: {}, not_json: '{"query":' }]);
});

function nested(levels: number): string {
  return `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
}

test("a tool call whose arguments are nested too deeply to be stored says so, and how they began", async () => {
  const [fine, deep, deepest] = [nested(500), nested(501), nested(20_000)];
  const whole = { ...tool, id: "c", input: JSON.parse(deepest) as unknown };
  const blocks = [block(0, tool, json(fine)), block(1, { ...tool, id: "b" }, json(deep)), block(2, whole)];

  const { content } = await answerTo(clientHearing(start, ...blocks.flat(), delta("tool_use"), stop));

  expect(content).toEqual([
    { ...tool, input: JSON.parse(fine) as unknown },
    { ...tool, id: "b", input: {}, not_json: `(nested more than 500 levels deep) ${deep.slice(0, 200)}` },
    { ...tool, id: "c", input: {}, not_json: "(nested more than 500 levels deep) " },
  ]);
});

test.each([
  ["an end without a message_stop", [start, delta("end_turn")], "before message_stop"],
  ["an end that never began", [stop], "before message_stop"],
  ["two beginnings", [start, start, delta("end_turn"), stop], "twice"],
])("%s are a broken answer", async (_, events, reason) => {
  const reading = answerTo(clientHearing(...events));

  await expect(reading).rejects.toMatchObject({ name: "BrokenAnswer", message: expect.stringContaining(reason) });
});
