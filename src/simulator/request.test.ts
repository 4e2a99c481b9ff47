/** The simulator refuses what the real API refuses, with the same words, and accepts what the API accepts. */
import { expect, test } from "vitest";
import { signatureOf } from "./signature.ts";
import { refusalOf } from "./validate.ts";
import { PIXEL, pngOf } from "../testing/pictures.ts";

const body = (fields: object = {}): object => ({
  model: "m",
  max_tokens: 2_000,
  messages: [{ role: "user", content: "hi" }],
  ...fields,
});

const use = (id: unknown, fields: object = {}): object => ({ type: "tool_use", id, name: "t", input: {}, ...fields });
const result = (id: string, fields: object = {}): object => ({
  type: "tool_result",
  tool_use_id: id,
  content: "ok",
  ...fields,
});
const text = (words: unknown): object => ({ type: "text", text: words });
const thinking = (words: string, model = "m"): object => ({
  type: "thinking",
  thinking: words,
  signature: signatureOf(model, [words]),
});
const image = (source: object): object => ({ type: "image", source });
const pixel = image({ type: "base64", media_type: "image/png", data: PIXEL });

const user = (...content: object[]): object => ({ role: "user", content });
const assistant = (...content: object[]): object => ({ role: "assistant", content });
const hi = { role: "user", content: "hi" };
const tool = (fields: object = {}): object => ({ name: "t", input_schema: { type: "object" }, ...fields });
const marked = { type: "text", text: "x", cache_control: { type: "ephemeral" } };

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
  [body({ temprature: 1 }), "temprature: Extra inputs are not permitted"],
  [body({ temperature: 1.5 }), "temperature: range: 0..1"],
  [body({ stop_sequences: ["\n"] }), "stop_sequences: each stop sequence must contain non-whitespace"],
  [body({ thinking: { type: "enabled", budget_tokens: 1_000 } }), "greater than or equal to 1024"],
  [body({ thinking: { type: "enabled", budget_tokens: 2_000 } }), "`max_tokens` must be greater than"],
  [
    body({
      max_tokens: 2_000,
      thinking: { type: "enabled", budget_tokens: 1_024 },
      tools: [tool()],
      messages: [
        hi,
        assistant(text("So"), { type: "tool_use", id: "a", name: "t", input: {} }),
        user({ type: "tool_result", tool_use_id: "a", content: "x" }),
      ],
    }),
    "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`",
  ],
  [body({ system: [text(" ")] }), "system: text content blocks must contain non-whitespace text"],
  [body({ system: { a: 1 } }), "system: Input should be a valid string or list"],
  [body({ tools: [tool(), tool()] }), "Tool names must be unique"],
  [body({ tools: [tool({ name: "a b" })] }), "tools.0.custom.name: String should match pattern"],
  [body({ tools: [{ name: "t" }] }), "tools.0.custom.input_schema: Field required"],
  [
    body({ tools: [tool({ input_schema: { type: "object", properties: { "a b": {} } } })] }),
    "tools.0.custom.input_schema.properties: Property keys should match pattern",
  ],
  [
    body({ tools: [tool({ input_schema: { type: "object", oneOf: [{}] } })] }),
    "input_schema does not support oneOf, allOf, or anyOf at the top level",
  ],
  [body({ tool_choice: { type: "any" } }), "may only be specified while providing `tools`"],
  [body({ tools: [tool()], tool_choice: { type: "tool", name: "u" } }), "Tool 'u' not found in provided tools"],
  [
    body({ system: [marked, marked, marked], messages: [user(marked, marked)] }),
    "A maximum of 4 blocks with cache_control",
  ],
  [body({ system: [{ ...marked, cache_control: { type: "eternal" } }] }), "Input should be 'ephemeral'"],
  [body({ metadata: { user_id: "\ud800" } }), "not valid JSON: no low surrogate in string"],
  [body({ metadata: { "\udc00": 1 } }), "not valid JSON: no low surrogate in string"],
])("request %# is refused as the API refuses it", (request, message) => {
  expect(refusalOf(request)).toContain(message);
});

test.each([
  [[{ role: "robot", content: "hi" }], "messages.0.role: Input should be 'user' or 'assistant'"],
  [[{ role: "user", content: "" }], "messages.0: all messages must have non-empty content"],
  [[hi, assistant(), hi], "messages.1: all messages must have non-empty content"],
  [[{ role: "user", content: " \n" }], "messages: text content blocks must contain non-whitespace text"],
  [[user(text(""))], "messages: text content blocks must be non-empty"],
  [[user(text("\u0085\u001c\u3000"))], "messages: text content blocks must contain non-whitespace text"],
  [[hi, assistant(text("\n\n"), use("a")), user(result("a"))], "text content blocks must contain non-whitespace"],
  [[user({})], "messages.0.content.0.type: Field required"],
  [[{ role: "assistant", content: "hi" }], 'first message must use the "user" role'],
  [[{ ...hi, run_id: "r" }], "messages.0.run_id: Extra inputs are not permitted"],
  [[user({ type: "text", text: "x", at: 1 })], "messages.0.content.0.text.at: Extra inputs are not permitted"],
  [[user(text("a\ud83d"))], "not valid JSON: no low surrogate in string"],
  [[hi, { role: "assistant", content: "So " }], "cannot end with trailing whitespace"],
])("message %# is refused as the API refuses it", (messages, sentence) => {
  expect(refusalOf(body({ messages }))).toContain(sentence);
});

test.each([
  [[hi, assistant(thinking("hm")), hi], "The final block in an assistant message cannot be `thinking`"],
  [
    [hi, assistant(text("x"), { type: "redacted_thinking", data: "x" }), hi],
    "The final block in an assistant message cannot be",
  ],
  [[hi, assistant({ type: "thinking", thinking: "hm" }, text("x")), hi], "thinking.signature: Field required"],
  [
    [hi, assistant({ ...thinking("hm"), thinking: "changed" }, text("x")), hi],
    "messages.1.content.0: Invalid `signature` in `thinking` block",
  ],
  [[hi, assistant(thinking("hm", "another-model"), text("x")), hi], "Invalid `signature` in `thinking` block"],
  [[hi, assistant({ ...thinking("hm"), cache_control: {} }, text("x")), hi], "thinking.cache_control: Extra inputs"],
  [[user(thinking("hm"), text("x"))], "`thinking` blocks can only be in `assistant` messages"],
])("thinking %# is refused as the API refuses it", (messages, sentence) => {
  expect(refusalOf(body({ messages }))).toContain(sentence);
});

test.each([
  [
    [hi, assistant(use("a"))],
    "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a.",
  ],
  [[hi, assistant(use("a")), hi], "ids were found without `tool_result`"],
  [[hi, assistant(use("a"), use("b")), user(result("a"))], "immediately after: b."],
  [[hi, assistant(use("a")), user(text("so"), result("a"))], "ids were found without `tool_result`"],
  [[hi, assistant(use("a")), user(result("a"), result("b"))], "messages.2.content.1: unexpected `tool_use_id` found"],
  [[user(result("a"))], "messages.0.content.0: unexpected `tool_use_id`"],
  [[hi, assistant(use("a")), user(result("a"), result("a"))], "Found multiple"],
  [[hi, assistant(use("a")), user(result("a")), assistant(use("a")), user(result("a"))], "ids must be unique"],
  [[hi, assistant(use("a"), use("a")), user(result("a"))], "ids must be unique"],
  [[user(use("a")), user(result("a"))], "can only be in `assistant` messages"],
  [[hi, assistant(use("a")), assistant(result("a"))], "can only be in `user` messages"],
  [[hi, assistant(use("functions.t:0")), hi], "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"],
  [[hi, assistant(use("a", { name: "cal culate" })), hi], "tool_use.name: String should match pattern"],
  ...[null, [], "6*7", 7].map((input): [object[], string] => [
    [hi, assistant(use("a", { input })), user(result("a"))],
    "messages.1.content.0.tool_use.input: Input should be a valid dictionary",
  ]),
  [[hi, assistant(use("a")), user(result("a", { content: 7 }))], "content: Input should be a valid string or list"],
  [[hi, assistant(use("a")), user(result("a", { content: [text("")] }))], "text content blocks must be non-empty"],
  [[hi, assistant(use("a")), user(result("a", { content: "", is_error: true }))], "cannot be empty if `is_error`"],
  ...[result("a"), { type: "hologram" }].map((part): [object[], string] => [
    [hi, assistant(use("a")), user(result("a", { content: [part] }))],
    "does not match any of the expected tags",
  ]),
  [
    [hi, assistant(use("a")), user(result("a", { content: [text("no"), pixel], is_error: true }))],
    "all content must be type `text` if `is_error` is true",
  ],
  [
    [hi, assistant({ type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }), hi],
    "`web_search` tool use with id `srvtoolu_1` was found without a corresponding `web_search_tool_result` block",
  ],
  [[hi, assistant({ type: "server_tool_use", id: "a", name: "web_search", input: {} })], "String should match pattern"],
])("history %# is refused as the API refuses it", (messages, message) => {
  expect(refusalOf(body({ messages, tools: [tool()] }))).toContain(message);
});

test.each([[undefined], [[]]])("tool blocks in a request with tools %j are refused", (tools) => {
  const messages = [hi, assistant(use("a")), user(result("a"))];

  expect(refusalOf(body({ messages, tools }))).toBe(
    "Requests which include `tool_use` or `tool_result` blocks must define tools",
  );
});

test.each([
  [image({}), "image.source: Input tag 'undefined' found using 'type'"],
  [image({ type: "base64", media_type: "image/bmp", data: "AAAA" }), "media_type: Input should be 'image/jpeg' or"],
  [image({ type: "base64", media_type: "image/png", data: "…" }), "Invalid base64 data"],
  [image({ type: "base64", media_type: "image/png", data: "AAAA" }), "Could not process image"],
  [image({ type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" }), "Could not process image"],
  [image({ type: "base64", media_type: "image/gif", data: PIXEL }), "appears to be a image/png image"],
  [
    image({ type: "base64", media_type: "image/png", data: PIXEL.slice(0, -2).padEnd(5_242_884, "A") }),
    "image exceeds 5 MB maximum: 5242884 bytes > 5242880 bytes",
  ],
  [image({ type: "base64", media_type: "image/png", data: pngOf(8_001, 1) }), "max allowed size: 8000 pixels"],
  [image({ type: "url", url: "ftp://x" }), "Only HTTPS URLs are supported"],
  [{ type: "document", source: { type: "text", media_type: "text/html", data: "x" } }, "should be 'text/plain'"],
  [{ type: "document", source: { type: "base64", media_type: "image/png", data: "x" } }, "'application/pdf'"],
])("picture or document %# is refused as the API refuses it", (block, sentence) => {
  expect(refusalOf(body({ messages: [user(block)] }))).toContain(sentence);
});

test("a picture in an assistant's message is refused", () => {
  expect(refusalOf(body({ messages: [hi, assistant(pixel), hi] }))).toContain("not permitted in assistant messages");
});

test("a prompt longer than the model's window is refused with both sizes", () => {
  const messages = [{ role: "user", content: "x".repeat(30_000) }];

  expect(refusalOf(body({ messages }), { contextTokens: 8_573 })).toBeUndefined();
  expect(refusalOf(body({ messages }), { contextTokens: 8_572 })).toBe(
    "prompt is too long: 8573 tokens > 8572 maximum",
  );
});

test("a picture costs the same however many bytes it has", () => {
  const large = image({ type: "base64", media_type: "image/png", data: PIXEL.slice(0, -2).padEnd(4_000_000, "A") });

  expect(refusalOf(body({ messages: [user(large)] }), { contextTokens: 2_000 })).toBeUndefined();
});

test("answered calls, signed thinking, pictures, multi-part results and text after results are accepted", () => {
  const messages = [
    user(pixel, { type: "document", source: { type: "url", url: "https://x.org/a.pdf" } }, text("look")),
    assistant(thinking("…"), use("a"), use("b")),
    user(result("b", { content: [text("x"), pixel] }), result("a", { content: "" }), text("and go on")),
    assistant(thinking("hm"), text("done")),
    hi,
  ];
  expect(refusalOf(body({ messages, tools: [tool()] }))).toBeUndefined();
});

test("blocks of server tools, and of types nobody knows yet, are accepted as they came", () => {
  const messages = [
    hi,
    assistant(
      { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "x" } },
      { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] },
      { type: "hologram", of: { anything: [1, null] } },
      text("found"),
    ),
    hi,
  ];
  expect(refusalOf(body({ messages, tools: [{ type: "web_search_20250305", name: "web_search" }] }))).toBeUndefined();
});

test("an answer that paused in a server tool may come last", () => {
  const paused = assistant(text("let me see"), {
    type: "server_tool_use",
    id: "srvtoolu_1",
    name: "web_search",
    input: {},
  });
  expect(refusalOf(body({ messages: [hi, paused] }))).toBeUndefined();
});

test("marks for the cache, and every option of the API's reference, are accepted", () => {
  const options = { temperature: 0, top_k: 5, top_p: 1, stop_sequences: ["END"], service_tier: "auto" };
  const system = [{ ...marked, cache_control: { type: "ephemeral", ttl: "1h" } }];
  const choice = { tools: [tool({ cache_control: { type: "ephemeral" } })], tool_choice: { type: "any" } };
  const output = { output_config: { effort: "low" }, metadata: { user_id: "u" } };

  expect(refusalOf(body({ ...options, ...choice, ...output, system, messages: [user(marked)] }))).toBeUndefined();
});
