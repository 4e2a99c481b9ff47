/** What the real API refuses, refused here with its words. */
import { expect, test } from "vitest";
import { parseRequest } from "./request.ts";

const body = (fields: object = {}): object => ({
  model: "m",
  max_tokens: 10,
  messages: [{ role: "user", content: "hi" }],
  ...fields,
});

const use = (id: string): object => ({ type: "tool_use", id, name: "t", input: {} });
const result = (id: string): object => ({ type: "tool_result", tool_use_id: id, content: "ok" });
const user = (...content: object[]): object => ({ role: "user", content });
const assistant = (...content: object[]): object => ({ role: "assistant", content });
const hi = { role: "user", content: "hi" };
const tool = (fields: object = {}): object => ({ name: "t", input_schema: { type: "object" }, ...fields });

test.each([
  [[], "must be a JSON object"],
  [body({ model: undefined }), "model: Field required"],
  [body({ model: "" }), "model: Input should be a valid string"],
  [body({ model: "x".repeat(257) }), "model: String should have at most 256 characters"],
  [body({ max_tokens: undefined }), "max_tokens: Field required"],
  [body({ max_tokens: 1.5 }), "max_tokens: Input should be a valid integer"],
  [body({ stream: "yes" }), "stream: Input should be a valid boolean"],
  [body({ messages: undefined }), "messages: Field required"],
  [body({ messages: [] }), "at least one message is required"],
  [body({ messages: [{ role: "robot", content: "hi" }] }), "messages.0.role: Input should be 'user' or 'assistant'"],
  [body({ messages: [{ role: "user", content: "" }] }), "text content blocks must be non-empty"],
  [body({ messages: [{ role: "user", content: [{}] }] }), "messages.0.content.0.type: Field required"],
  [body({ messages: [{ role: "assistant", content: "hi" }] }), 'first message must use the "user" role'],
  [body({ tools: [tool(), tool()] }), "Tool names must be unique"],
  [body({ tools: [tool({ name: "a b" })] }), "tools.0.custom.name: String should match pattern"],
  [body({ tools: [{ name: "t" }] }), "tools.0.custom.input_schema: Field required"],
])("request %# is refused as the API refuses it", (request, message) => {
  expect(() => parseRequest(request, { maxTokens: true })).toThrow(message);
});

test.each([
  [
    [hi, assistant(use("a"))],
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a.",
  ],
  [[hi, assistant(use("a")), hi], "ids were found without `tool_result`"],
  [[hi, assistant(use("a"), use("b")), user(result("a"))], "immediately after: b."],
  [[hi, assistant(use("a")), user(result("a"), result("b"))], "messages.2.content.1: unexpected `tool_use_id` found"],
  [[user(result("a"))], "messages.0.content.0: unexpected `tool_use_id`"],
  [[hi, assistant(use("a")), user(result("a"), result("a"))], "Found multiple"],
  [[hi, assistant(use("a")), user(result("a")), assistant(use("a")), user(result("a"))], "ids must be unique"],
  [[user(use("a")), user(result("a"))], "can only be in `assistant` messages"],
])("history %# is refused as the API refuses it", (messages, message) => {
  expect(() => parseRequest(body({ messages }), { maxTokens: true })).toThrow(message);
});

test("a history of answered calls, with thinking, images and text behind results, is accepted", () => {
  const messages = [
    user({ type: "image", source: {} }, { type: "text", text: "look" }),
    assistant({ type: "thinking", thinking: "…", signature: "s" }, use("a"), use("b")),
    user(result("b"), result("a"), { type: "text", text: "and go on" }),
  ];
  expect(parseRequest(body({ messages }), { maxTokens: true }).messages).toHaveLength(3);
});

test("the API's own server tools are accepted and never called", () => {
  const tools = [{ type: "web_search_20250305", name: "web_search" }, tool()];
  expect(parseRequest(body({ tools }), { maxTokens: true }).tools.map(({ name }) => name)).toEqual(["t"]);
});
