/** The published `openai` client against a real server. */
import type OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { expect, test } from "vitest";
import { z } from "zod";
import { defineAgents } from "../../core/agent.ts";
import { startCluster } from "../../testing/cluster.ts";
import { clientOf, refusalOf } from "../../testing/openai.ts";
import { PIXEL } from "../../testing/pictures.ts";

const hello = [{ role: "user" as const, content: "Hello" }];

test("the models are the agents", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const { data } = await openai.models.list();
  expect(data.map(({ id }) => id)).toContain("assistant");
  expect((await openai.models.retrieve("greeter")).id).toBe("greeter");
});

test("a completion has the answer behind the tool call, and the tokens it took", async () => {
  await using cluster = await startCluster();
  const messages = [{ role: "user" as const, content: "calculate 6 * 7" }];
  const completion = await clientOf(cluster).chat.completions.create({ model: "assistant", messages, temperature: 0 });
  expect(completion.choices[0]).toMatchObject({ finish_reason: "stop", message: { role: "assistant" } });
  expect(completion.choices[0]?.message.content).toContain("42");
  expect(completion.usage?.completion_tokens).toBeGreaterThan(0);
});

test("a streamed completion says the same as a whole one, and counts its tokens when asked", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const messages = [{ role: "user" as const, content: "/sim tokens=20" }];
  const whole = await openai.chat.completions.create({ model: "assistant", messages });
  const stream = openai.chat.completions.stream({
    model: "assistant",
    messages,
    stream_options: { include_usage: true },
  });
  const streamed = await stream.finalChatCompletion();
  expect(streamed.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
  expect(streamed.usage).toEqual(whole.usage);
});

const CONVERSATION = [
  { role: "system" as const, content: "Be short." },
  { role: "user" as const, content: "My name is Ana." },
  { role: "assistant" as const, content: "Hello Ana." },
  { role: "user" as const, content: "Who am I?" },
];

test("the conversation that the client sends is what the model reads, and no thread stays", async () => {
  await using cluster = await startCluster();
  await clientOf(cluster).chat.completions.create({ model: "assistant", messages: CONVERSATION });
  const { items } = await cluster.engine.threads({ limit: 10 });
  expect(items).toEqual([]);
  const [run] = (await cluster.engine.runs({ limit: 1 })).items;
  const turns = await cluster.engine.history(run?.run_id ?? "");
  const said = turns.flatMap(({ messages }) => messages.map(({ content }) => content));
  expect(said.slice(0, 3)).toEqual(["Be short.\n\nMy name is Ana.", "Hello Ana.", "Who am I?"]);
});

test("an answer without text, and a refusal, may stand in the conversation", async () => {
  await using cluster = await startCluster();
  const user = { role: "user" as const, content: "Go on" };
  const messages = [
    user,
    { role: "assistant" as const, content: null },
    user,
    { role: "assistant" as const, content: [{ type: "refusal" as const, refusal: "I will not." }] },
    user,
    { role: "assistant" as const, content: null, refusal: "Never." },
    user,
  ];
  const { id } = await clientOf(cluster).chat.completions.create({ model: "assistant", messages });
  const [turn] = await cluster.engine.history(id.replace("chatcmpl-", ""));
  const said = turn?.messages.filter(({ role }) => role === "assistant").map(({ content }) => content);
  expect(said?.slice(0, 3)).toEqual(["", "I will not.", "Never."]);
  const refusal = await refusalOf(
    clientOf(cluster).chat.completions.create({
      model: "assistant",
      messages: [{ role: "user", content: null }] as never,
    }),
  );
  expect(refusal.status).toBe(400);
});

test("a picture in the conversation goes to the model", async () => {
  await using cluster = await startCluster();
  const url = `data:image/png;base64,${PIXEL}`;
  const content = [
    { type: "text" as const, text: "What is this?" },
    { type: "image_url" as const, image_url: { url } },
  ];
  const openai = clientOf(cluster);
  await openai.chat.completions.create({ model: "assistant", messages: [{ role: "user", content }] });
  const input = [
    { role: "user" as const, content: [{ type: "input_image" as const, image_url: url, detail: "auto" as const }] },
  ];
  expect(await openai.responses.create({ model: "assistant", input })).toMatchObject({ status: "completed" });
  for (const { run_id: runId } of (await cluster.engine.runs({ limit: 2 })).items) {
    const [turn] = await cluster.engine.history(runId);
    expect(JSON.stringify(turn?.messages[0]?.content)).toContain('"source":{"type":"file"');
  }
});

test("with thread_id the conversation is kept, and of what the thread has already only the new message is stored", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const ask = (content: string) =>
    openai.chat.completions.create({
      model: "assistant",
      messages: [...hello, ...answered, { role: "user", content }],
      ...thread,
    });
  const thread = { thread_id: "kept" };
  const answered = [{ role: "assistant" as const, content: "Hi" }];
  await ask("one");
  await ask("two");
  const { body } = await cluster.client.get("/api/threads/kept");
  const said = (body["messages"] as { role: string; content: unknown }[]).filter(({ role }) => role === "user");
  expect(said.map(({ content }) => content)).toEqual(["Hello", "one", "two"]);
});

test("a thread that a completion begins has its system text and the earlier messages", async () => {
  await using cluster = await startCluster();
  const thread = { thread_id: "kept" };
  const { id } = await clientOf(cluster).chat.completions.create({
    model: "assistant",
    messages: CONVERSATION,
    ...thread,
  });
  const turns = await cluster.engine.history(id.replace("chatcmpl-", ""));
  const said = turns.flatMap(({ messages }) => messages.map(({ content }) => content));
  expect(said.slice(0, 3)).toEqual(["Be short.\n\nMy name is Ana.", "Hello Ana.", "Who am I?"]);
});

test("a client that hangs up cancels a run that nobody could ask for again", async () => {
  await using cluster = await startCluster();
  const messages = [{ role: "user" as const, content: "/sim tokens=6000 rate=60" }];
  const stream = await clientOf(cluster).chat.completions.create({ model: "assistant", messages, stream: true });
  for await (const { choices } of stream) if (choices[0]?.delta.content) break;
  await expect
    .poll(async () => (await cluster.engine.runs({ limit: 1 })).items[0]?.status, { timeout: 5_000 })
    .toBe("canceled");
});

test.each<[string, object, RegExp]>([
  [
    "an agent that does not exist",
    { model: "gpt-9", messages: hello },
    /There is no model "gpt-9"; use one of "assistant"/,
  ],
  ["tools of the client", { messages: hello, tools: [{ type: "function" }] }, /`tools` to be left out/],
  ["a conversation that ends with the model", { messages: [{ role: "assistant", content: "a" }] }, /role `user`/],
  ["several answers", { messages: hello, n: 2 }, /`n` to be 1/],
])("%s is refused in the client's own words for it", async (_name, body, sentence) => {
  await using cluster = await startCluster();
  const request = { model: "assistant", ...body } as OpenAI.ChatCompletionCreateParamsNonStreaming;
  const refusal = await refusalOf(clientOf(cluster).chat.completions.create(request));
  expect(refusal.type).toBe("invalid_request_error");
  expect(refusal.message).toMatch(sentence);
});

test.each<[string, object, RegExp]>([
  ["a required tool", { messages: hello, tool_choice: "required" }, /`tool_choice` to be "auto", "none" or left out/],
  ["a message that says nothing", { messages: [{ role: "user", content: " " }] }, /last message says something/],
  [
    "a JSON schema that the agent does not take",
    { messages: hello, response_format: { type: "json_object" } },
    /`accepts`/,
  ],
  [
    "a file part",
    { messages: [{ role: "user", content: [{ type: "file", file: {} }] }] },
    /`messages\[0\]\.content\[0\]` to be a text or image part/,
  ],
  ["no message", { messages: [] }, /`messages` to be a list that is not empty/],
])("%s is refused, as the answer would be another than the one that was asked for", async (_name, body, sentence) => {
  await using cluster = await startCluster({ runner: false });
  const request = { model: "assistant", ...body } as OpenAI.ChatCompletionCreateParamsNonStreaming;
  expect((await refusalOf(clientOf(cluster).chat.completions.create(request))).message).toMatch(sentence);
});

test.each<[string, object, RegExp]>([
  ["a conversation", { conversation: "conv_1" }, /`previous_response_id` continues/],
  ["a stored prompt", { prompt: { id: "p" } }, /`prompt` to be left out/],
  ["a JSON schema", { text: { format: { type: "json_schema", name: "x", schema: {} } } }, /`response_format`/],
])("a response is refused %s, with what to send instead", async (_name, body, sentence) => {
  await using cluster = await startCluster({ runner: false });
  const request = { model: "assistant", input: "Hello", ...body } as OpenAI.Responses.ResponseCreateParamsNonStreaming;
  expect((await refusalOf(clientOf(cluster).responses.create(request))).message).toMatch(sentence);
});

test("a completion that has to fit a schema is its JSON alone, parsed by the client, streamed and not", async () => {
  const agents = defineAgents({ assistant: { model: "m", tools: ["current_time"], accepts: ["response_format"] } });
  await using cluster = await startCluster({ agents });
  const openai = clientOf(cluster);
  const content = `/sim tokens=2 tool=current_time input={}\n/sim text=${JSON.stringify('```json\n{"sum":3}\n```')}`;
  const messages = [{ role: "user" as const, content }];
  const response_format = zodResponseFormat(z.object({ sum: z.number() }), "sum");
  const request = { model: "assistant", messages, response_format };

  const whole = await openai.chat.completions.parse(request);
  const streamed = await openai.chat.completions.stream(request).finalChatCompletion();

  expect(whole.choices[0]?.message.parsed).toEqual({ sum: 3 });
  expect(streamed.choices[0]?.message.parsed).toEqual({ sum: 3 });
});

test.each([
  ["is too long", { description: "x".repeat(33_000) }, `a JSON schema of at most ${32 * 1024} characters`],
  ["has a pattern", { type: "string", pattern: "(a+)+$" }, "a JSON schema without `pattern`"],
  ["cannot be read", { type: "nonsense" }, "a JSON schema (Unsupported type: nonsense)"],
  ["is no object", "string", "a JSON schema of at most"],
])("a schema that %s is refused by the client's name of it", async (_name, schema, expected) => {
  const agents = defineAgents({ assistant: { model: "m", accepts: ["response_format"] } });
  await using cluster = await startCluster({ agents, runner: false });
  const response_format = { type: "json_schema", json_schema: { name: "x", schema } };
  const request = { model: "assistant", messages: hello, response_format };
  const refusal = await refusalOf(
    clientOf(cluster).chat.completions.create(request as OpenAI.ChatCompletionCreateParams),
  );
  expect(refusal.status).toBe(400);
  expect(refusal.message).toContain(`Expected \`response_format.json_schema.schema\` to be ${expected}`);
});

test("a wrong key is an authentication error, a run that fails a server error", async () => {
  const apiKeys = [{ name: "me", secret: "a-long-secret" }];
  await using cluster = await startCluster({ settings: { apiKeys } });
  const wrong = await refusalOf(clientOf(cluster, "nope").models.list());
  expect(wrong).toMatchObject({ status: 401, code: "UNAUTHORIZED", type: "authentication_error" });
  const messages = [{ role: "user" as const, content: "/sim status=401" }];
  const failed = await refusalOf(
    clientOf(cluster, "a-long-secret").chat.completions.create({ model: "assistant", messages }),
  );
  expect(failed).toMatchObject({ status: 502, code: "MODEL_UNAUTHORIZED", type: "server_error" });
});

test.each(["status=400", "status=401"])(
  "a client that retries by itself does not begin a failed run anew (%s)",
  async (fault) => {
    await using cluster = await startCluster();
    const openai = clientOf(cluster, "none", 2);
    const messages = [{ role: "user" as const, content: `/sim ${fault}` }];
    const request = { model: "assistant", messages, thread_id: "kept" };
    await refusalOf(openai.chat.completions.create(request));
    expect((await cluster.engine.runs({ limit: 10 })).items).toHaveLength(1);
  },
);

test("an answer that a budget cut is not called complete, streamed and not", async () => {
  const agents = defineAgents({
    assistant: { model: "m", maxTokens: 50, tools: ["current_time"], budget: { run: { tokens: 50 } } },
  });
  await using cluster = await startCluster({ agents });
  const openai = clientOf(cluster);
  const content = '/sim text="Let me look this up." tool=current_time input={}';
  const request = { model: "assistant", messages: [{ role: "user" as const, content }] };

  const whole = await openai.chat.completions.create(request);
  const chunks = await Array.fromAsync(await openai.chat.completions.create({ ...request, stream: true }));
  const response = await openai.responses.create({ model: "assistant", input: content });
  const events = await Array.fromAsync(
    await openai.responses.create({ model: "assistant", input: content, stream: true }),
  );

  expect(whole.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "Let me look this up." } });
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("length");
  const cut = { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } };
  expect(response).toMatchObject(cut);
  expect(events.at(-1)).toMatchObject({ type: "response.incomplete", response: cut });
});

test("a last answer that the model gave at its step limit is a whole answer", async () => {
  const agents = defineAgents({
    assistant: { model: "m", tools: ["current_time"], limits: { maxSteps: 2 } },
  });
  await using cluster = await startCluster({ agents });
  const messages = [{ role: "user" as const, content: "/sim loop tokens=3" }];
  const completion = await clientOf(cluster).chat.completions.create({ model: "assistant", messages });
  expect((await cluster.engine.runs({ limit: 1 })).items[0]?.finish_reason).toBe("step_limit");
  expect(completion.choices[0]?.finish_reason).toBe("stop");
});

test("a stream whose answer broke off ends with an error, not with doubled text", async () => {
  await using cluster = await startCluster();
  const messages = [{ role: "user" as const, content: "/sim tokens=30 rate=300 cut times=1" }];
  const stream = await clientOf(cluster).chat.completions.create({ model: "assistant", messages, stream: true });
  const failed = await refusalOf(Array.fromAsync(stream));
  expect(failed.message).toContain("does not count");
});
