/** What the simulated model answers and calls, message by message, through the real SDK. */
import type Anthropic from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { type Fixture, openFixture } from "./fixture.ts";

const TOOLS: Anthropic.Tool[] = [
  {
    name: "calculate",
    input_schema: { type: "object", properties: { expression: { type: "string" } }, required: ["expression"] },
  },
  { name: "current_time", input_schema: { type: "object", properties: { timezone: { type: "string" } } } },
];

function ask(sim: Fixture, messages: Anthropic.MessageParam[], fields: object = {}): Promise<Anthropic.Message> {
  return sim.client.messages
    .stream({ model: "m", max_tokens: 10_000, messages, tools: TOOLS, ...fields })
    .finalMessage();
}

const says = (content: string): Anthropic.MessageParam => ({ role: "user", content });

const textOf = (message: Anthropic.Message): string =>
  message.content.map((block) => (block.type === "text" ? block.text : "")).join("");

const callsOf = (message: Anthropic.Message): object[] =>
  message.content.flatMap((block) => (block.type === "tool_use" ? [{ name: block.name, input: block.input }] : []));

/** The conversation with `answer` and a result for each of its calls. */
const withResults = (
  messages: Anthropic.MessageParam[],
  answer: Anthropic.Message,
  result: string,
): Anthropic.MessageParam[] => [
  ...messages,
  { role: "assistant", content: answer.content },
  {
    role: "user",
    content: answer.content.flatMap((block) =>
      block.type === "tool_use" ? [{ type: "tool_result" as const, tool_use_id: block.id, content: result }] : [],
    ),
  },
];

test("a plain message is echoed, with the turn and the fact that the model is simulated", async () => {
  await using sim = await openFixture();
  const answer = await ask(sim, [says("first"), { role: "assistant", content: "ok" }, says("how is the weather?")]);
  expect(textOf(answer)).toMatch(/simulated model.*“how is the weather\?”.*turn 2 of our conversation/);
  expect(answer.stop_reason).toBe("end_turn");
});

test("a message that asks for code gets a list and a code block", async () => {
  await using sim = await openFixture();
  const text = textOf(await ask(sim, [says("show me some code")]));
  expect(text).toContain("\n- ");
  expect(text).toMatch(/```js\n[^`]+\n```/);
});

test("a tool named in the message is called with an input from its schema", async () => {
  await using sim = await openFixture();
  const answer = await ask(sim, [says("please calculate 2*(3+4) for me")]);
  expect(callsOf(answer)).toEqual([{ name: "calculate", input: { expression: "2*(3+4)" } }]);
  expect(textOf(answer)).toBe("I will call calculate.");
  expect(answer.stop_reason).toBe("tool_use");
});

test("several tools named in one message are called in one answer, in its order", async () => {
  await using sim = await openFixture();
  const answer = await ask(sim, [says("What is the current time in Asia/Tokyo, then calculate 1+1")]);
  expect(callsOf(answer)).toEqual([
    { name: "current_time", input: { timezone: "Asia/Tokyo" } },
    { name: "calculate", input: { expression: "1+1" } },
  ]);
});

test("a word that only contains a tool's name calls nothing", async () => {
  await using sim = await openFixture();
  expect(callsOf(await ask(sim, [says("a calculated risk, recalculate")]))).toEqual([]);
});

test("tool results are told in a final answer, and nothing is called again", async () => {
  await using sim = await openFixture();
  const question = [says("calculate 6*7")];
  const answer = await ask(sim, withResults(question, await ask(sim, question), "42"));
  expect(textOf(answer)).toBe("The tool calculate answered: 42");
  expect(answer.stop_reason).toBe("end_turn");
});

test("a failed tool is told as failed", async () => {
  await using sim = await openFixture();
  const use = { type: "tool_use" as const, id: "toolu_1", name: "calculate", input: {} };
  const result = { type: "tool_result" as const, tool_use_id: "toolu_1", content: "no way", is_error: true };
  const answer = await ask(sim, [
    says("calculate x"),
    { role: "assistant", content: [use] },
    { role: "user", content: [result] },
  ]);
  expect(textOf(answer)).toBe("The tool calculate failed: no way");
});

test("tool_choice none is obeyed", async () => {
  await using sim = await openFixture();
  const answer = await ask(sim, [says("calculate 6*7")], { tool_choice: { type: "none" } });
  expect(callsOf(answer)).toEqual([]);
});

test("/sim tool= is called once, while tokens= counts for the answer after it too", async () => {
  await using sim = await openFixture();
  const question = [says("/sim tokens=2 tool=calculate")];
  const first = await ask(sim, question);
  expect(callsOf(first)).toHaveLength(1);
  const second = await ask(sim, withResults(question, first, "1"));
  expect(second.content).toMatchObject([{ type: "text", text: "tok1 tok2" }]);
});

test("/sim loop calls the first tool answer after answer", async () => {
  await using sim = await openFixture();
  let messages = [says("/sim loop")];
  for (let round = 0; round < 3; round++) {
    const answer = await ask(sim, messages);
    expect(callsOf(answer)).toMatchObject([{ name: "calculate" }]);
    messages = withResults(messages, answer, "again");
  }
});

test("/sim loop with tool= loops that tool", async () => {
  await using sim = await openFixture();
  const question = [says('/sim loop tool=current_time input={"timezone":"UTC"}')];
  const second = await ask(sim, withResults(question, await ask(sim, question), "noon"));
  expect(callsOf(second)).toEqual([{ name: "current_time", input: { timezone: "UTC" } }]);
});

test("/sim loop without any tool is refused", async () => {
  await using sim = await openFixture();
  await expect(ask(sim, [says("/sim loop")], { tools: [] })).rejects.toThrow("/sim loop needs a tool");
});

test("the /sim line of an earlier message does not count for a later one", async () => {
  await using sim = await openFixture();
  const answer = await ask(sim, [says("/sim tokens=1"), { role: "assistant", content: "tok1" }, says("and now?")]);
  expect(textOf(answer)).toContain("and now?");
});

test("the words around a /sim line are the message", async () => {
  await using sim = await openFixture();
  expect(textOf(await ask(sim, [says("hello\n/sim rate=0\nworld")]))).toContain("“hello world”");
});
