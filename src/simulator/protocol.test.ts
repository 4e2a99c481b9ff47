/** The wire protocol as the real SDK and a plain HTTP client see it. Faults are in faults.test.ts. */
import { type Anthropic, BadRequestError } from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { deltas, openFixture, parseEvents } from "./fixture.ts";

const CALCULATE = {
  name: "calculate",
  description: "Computes",
  input_schema: {
    type: "object" as const,
    properties: { expression: { type: "string" } },
    required: ["expression"],
  },
};

test("a streamed answer has the events of the real API in their order", async () => {
  await using sim = await openFixture();
  const events = await sim.events("/sim tokens=2 thinking=1 tool=calculate input={}");
  // The start and the stop of each block, with the number of its deltas between them.
  const names = events.map(({ event }) => event.replace("content_block_", ""));
  expect(names.join(" ")).toBe(
    "message_start start ping delta delta stop start delta delta stop start delta delta stop message_delta message_stop",
  );
  expect(events.every(({ event, data }) => data["type"] === event)).toBe(true);
});

test("message_start carries the model, an id and a usage of one output token", async () => {
  await using sim = await openFixture();
  const [start] = await sim.events("12345678");
  expect(start?.data["message"]).toMatchObject({
    id: expect.stringMatching(/^msg_/),
    type: "message",
    role: "assistant",
    model: "test-model",
    content: [],
    stop_reason: null,
    usage: { input_tokens: 4, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 },
  });
});

test("every response carries a request-id, and no two are equal", async () => {
  await using sim = await openFixture();
  const ids = await Promise.all([1, 2].map(async () => (await sim.post()).headers.get("request-id")));
  expect(ids[0]).toMatch(/^req_/);
  expect(ids[0]).not.toBe(ids[1]);
});

test("the SDK assembles text, thinking with its signature, and parallel tool calls", async () => {
  await using sim = await openFixture();
  const content =
    '/sim tokens=3 thinking=2 tool=calculate input={"expression": "1+1"} tool=other input={"a":{"b":"}"}}';
  const message = await sim.client.messages
    .stream({ model: "m", max_tokens: 100, messages: [{ role: "user", content }], tools: [CALCULATE] })
    .finalMessage();
  expect(message.content).toMatchObject([
    { type: "thinking", thinking: "thought1 thought2", signature: expect.stringMatching(/./) },
    { type: "text", text: "tok1 tok2 tok3" },
    { type: "tool_use", name: "calculate", input: { expression: "1+1" }, id: expect.stringMatching(/^toolu_/) },
    { type: "tool_use", name: "other", input: { a: { b: "}" } } },
  ]);
  expect(message.stop_reason).toBe("tool_use");
});

test("without stream the same answer comes as one JSON message", async () => {
  await using sim = await openFixture();
  const messages = [{ role: "user" as const, content: "/sim tokens=3 thinking=1 tool=calculate\ncalculate 6*7" }];
  const request = { model: "m", max_tokens: 100, messages, tools: [CALCULATE] };
  const whole = await sim.client.messages.create(request);
  const streamed = await sim.client.messages.stream(request).finalMessage();
  expect(withoutIds(whole)).toEqual(withoutIds(streamed));
  expect(whole).toMatchObject({ stop_reason: "tool_use", usage: { output_tokens: streamed.usage.output_tokens } });
});

const withoutIds = (message: Anthropic.Message): unknown =>
  message.content.map((block) => (block.type === "tool_use" ? { ...block, id: "" } : block));

test("the same message gets the same bytes, ids apart", async () => {
  await using sim = await openFixture();
  const texts = await Promise.all([1, 2].map(async () => deltas(await sim.events("tell me something"), "text")));
  expect(texts[0]).toEqual(texts[1]);
});

test("max_tokens ends the text with stop_reason max_tokens", async () => {
  await using sim = await openFixture();
  const events = await sim.events("/sim tokens=10", { max_tokens: 4 });
  expect(deltas(events, "text")).toEqual(["tok1", " tok2", " tok3", " tok4"]);
  expect(events.at(-2)?.data).toMatchObject({ delta: { stop_reason: "max_tokens" }, usage: { output_tokens: 4 } });
});

test("max_tokens may fall inside a tool's JSON, as it does in the real API", async () => {
  await using sim = await openFixture();
  const content = '/sim tokens=1 tool=calculate input={"expression":"1+1+1+1+1"}';
  const events = await sim.events(content, { max_tokens: 3 });
  expect(deltas(events, "partial_json").join("")).toBe('{"expres');
  expect(events.at(-2)?.data.delta).toMatchObject({ stop_reason: "max_tokens" });
});

test("count_tokens gives the input_tokens that the answer reports", async () => {
  await using sim = await openFixture();
  const messages = [{ role: "user" as const, content: "x".repeat(4_000) }];
  const counted = await sim.client.messages.countTokens({ model: "m", messages });
  const answered = await sim.client.messages.create({ model: "m", max_tokens: 100, messages });
  expect(counted.input_tokens).toBe(answered.usage.input_tokens);
  expect(counted.input_tokens).toBeGreaterThanOrEqual(1_000);
});

test("GET /v1/models lists the simulated model", async () => {
  await using sim = await openFixture();
  const page = await sim.client.models.list();
  expect(page.data.map(({ id }) => id)).toEqual(["simulated-model"]);
});

test("a request without a key is refused with 401, one with a bearer token is served", async () => {
  await using sim = await openFixture();
  const url = `${sim.simulator.url}/v1/models`;
  const refused = await fetch(url);
  expect(refused.status).toBe(401);
  expect(await refused.json()).toEqual({
    type: "error",
    error: { type: "authentication_error", message: "x-api-key header is required" },
    request_id: refused.headers.get("request-id"),
  });
  expect((await fetch(url, { headers: { authorization: "Bearer any" } })).status).toBe(200);
});

test("the SDK sees a refusal as its own error class with the API's message", async () => {
  await using sim = await openFixture();
  const request = sim.client.messages.create({
    model: "m",
    max_tokens: 0,
    messages: [{ role: "user", content: "hi" }],
  });
  await expect(request).rejects.toThrow(BadRequestError);
  await expect(request).rejects.toThrow("max_tokens: Input should be greater than or equal to 1");
});

test.each([
  { method: "GET", path: "/nowhere", status: 404, type: "not_found_error" },
  { method: "GET", path: "/v1/messages", status: 405, type: "invalid_request_error" },
  { method: "POST", path: "/v1/models", status: 405, type: "invalid_request_error" },
])("$method $path is refused with $status", async ({ method, path, status, type }) => {
  await using sim = await openFixture();
  const response = await fetch(`${sim.simulator.url}${path}`, { method, headers: { "x-api-key": "any" } });
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ type: "error", error: { type } });
});

test("a body that is not JSON is refused with 400", async () => {
  await using sim = await openFixture();
  const options = { method: "POST", headers: { "x-api-key": "any" }, body: '{"model":' };
  const response = await fetch(`${sim.simulator.url}/v1/messages`, options);
  expect(response.status).toBe(400);
});

test("a body over 32 MB is refused with 413", async () => {
  await using sim = await openFixture();
  const response = await sim.post({ messages: [{ role: "user", content: "x".repeat(32 * 1024 * 1024) }] });
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ error: { type: "request_too_large" } });
});

test("a body nested deeper than the stack is answered, not fatal", async () => {
  await using sim = await openFixture();
  const depth = 200_000;
  const nested = `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
  const body = `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"metadata":${nested}}`;
  const options = { method: "POST", headers: { "x-api-key": "any" }, body };
  expect((await fetch(`${sim.simulator.url}/v1/messages`, options)).status).toBe(200);
});

test("text outside ASCII arrives whole", async () => {
  await using sim = await openFixture();
  const body = await (await sim.post({ messages: [{ role: "user", content: '☃ 🐳 é \u2028 "q" \\ \n end' }] })).text();
  expect(deltas(parseEvents(body), "text").join("")).toContain("☃ 🐳 é");
});
