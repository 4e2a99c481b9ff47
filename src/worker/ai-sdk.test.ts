/** The published AI SDK against a real server: `Chat` of @ai-sdk/react with its default transport, as `useChat` uses it. */
import { validateUIMessages, type UIMessage } from "ai";
import { expect, test } from "vitest";
import { z } from "zod";
import { defineTool, type ToolParts } from "../agent/tools/tool.ts";
import { defineAgents } from "../core/agent.ts";
import { begun, chatOn, part, textOf } from "../testing/ai-sdk.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { ModelTap } from "../testing/model-tap.ts";
import { PIXEL } from "../testing/pictures.ts";

async function messagesOf({ client }: Cluster): Promise<UIMessage[]> {
  return (await client.get("/api/chat/chat-1/messages")).body["messages"] as UIMessage[];
}

/** The client gives ids to the thoughts that it streams. */
function answersIn(messages: readonly UIMessage[]): unknown {
  const answers = messages.filter(({ role }) => role === "assistant");
  return answers.map(({ id, parts }) => ({ id, parts: parts.map((one) => ({ ...one, id: undefined })) }));
}

const look = defineTool({
  description: "Looks.",
  input: z.object({}),
  effects: "pure",
  run: (): ToolParts => ({ content: [{ type: "image", data: Buffer.from(PIXEL, "base64") }] }),
});

test("a message is answered, with the tool call as a part that the server ran", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  await chat.sendMessage({ text: "calculate 6 * 7" });
  expect(chat.error).toBeUndefined();
  expect(textOf(chat.lastMessage)).toContain("42");
  const tool = chat.lastMessage?.parts.find(({ type }) => type === "dynamic-tool");
  expect(tool).toMatchObject({ toolName: "calculate", state: "output-available", providerExecuted: true });
});

test("the chat's id is the thread: the next message goes on in it, and only the new one is stored", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster, { id: "my-thread" });
  await chat.sendMessage({ text: "Hello" });
  await chat.sendMessage({ text: "And again" });
  const { body } = await cluster.client.get("/api/threads/my-thread");
  const said = (body["messages"] as { role: string; content: unknown }[]).filter(({ role }) => role === "user");
  expect(said.map(({ content }) => content)).toEqual(["Hello", "And again"]);
});

test("a chat that the client kept elsewhere begins its thread with what was said there", async () => {
  await using tap = await ModelTap.open();
  await using cluster = await startCluster({ modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  const messages: UIMessage[] = [
    { id: "1", role: "system", parts: part("Be kind.") },
    { id: "2", role: "user", parts: part("My name is Ana.") },
    { id: "3", role: "assistant", parts: part("Hello Ana.") },
  ];
  const chat = chatOn(cluster, { messages });
  await chat.sendMessage({ text: "What is my name?" });
  await chat.regenerate();
  await chat.sendMessage({ text: "Again?" });
  expect(tap.asked).toHaveLength(3);
  for (const { messages: asked } of tap.asked)
    for (const text of ["Be kind.", "My name is Ana.", "Hello Ana."])
      expect(JSON.stringify(asked).split(text)).toHaveLength(2);
});

test("a chat goes on after a message that failed", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  await chat.sendMessage({ text: "/sim status=401" });
  expect(chat.error?.message).toContain("check ANTHROPIC_API_KEY");
  await chat.sendMessage({ text: "Hello" });
  expect(chat.error).toBeUndefined();
  expect(textOf(chat.lastMessage)).toContain("Hello");
});

test("a chat goes on after a message that was canceled before its answer began", async () => {
  await using cluster = await startCluster({ runner: false });
  const chat = chatOn(cluster);
  const sent = chat.sendMessage({ text: "one" });
  await expect.poll(() => chat.lastMessage?.role, { timeout: 10_000 }).toBe("assistant");
  await cluster.client.fetch("/api/chat/chat-1/stream", { method: "DELETE" });
  await sent;
  expect(chat.lastMessage?.parts).toEqual([]);
  await cluster.startRunner();
  for (const text of ["two", "three"]) {
    await chat.sendMessage({ text });
    expect(chat.error).toBeUndefined();
    expect(textOf(chat.lastMessage)).toContain(text);
  }
});

test("`?agent=` chooses the agent", async () => {
  await using cluster = await startCluster();
  await chatOn(cluster, { id: "t", query: "?agent=greeter" }).sendMessage({ text: "Hello" });
  const { body } = await cluster.client.get("/api/runs?thread_id=t");
  expect(body["runs"]).toMatchObject([{ agent_id: "greeter" }]);
});

test("the query that the transport adds to every request is no reason to refuse one", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster, { query: "?agent=greeter" });
  await chat.resumeStream();
  expect({ status: chat.status, error: chat.error }).toEqual({ status: "ready", error: undefined });
});

test("a page that is opened again has the chat, as the page before showed it", async () => {
  const agents = defineAgents({ assistant: { model: "m", tools: ["look"] } });
  await using cluster = await startCluster({ agents, tools: inlineTools({ look }), settings: { basePath: "/keel" } });
  const first = chatOn(cluster);
  const url = `data:image/png;base64,${PIXEL}`;
  await first.sendMessage({ text: "Hello", files: [{ type: "file", mediaType: "image/png", url }] });
  await first.sendMessage({ text: "/sim thinking=2 tokens=2 tool=look input={}" });
  await first.sendMessage({ text: "/sim tool=nothing input={}" });

  const messages = await messagesOf(cluster);

  const [question] = messages;
  const file = question?.parts.find(({ type }) => type === "file");
  expect(file).toMatchObject({ mediaType: "image/png", url: expect.stringMatching(/^\/keel\/api\/files\/file_\w+$/) });
  expect((await cluster.client.fetch((file as { url: string }).url)).headers.get("content-type")).toBe("image/png");
  expect(answersIn(messages)).toEqual(answersIn(first.messages));
  await expect(validateUIMessages({ messages })).resolves.toBeDefined();
});

test("a chat that was opened again goes on, resumes, asks anew and is edited like the one before", async () => {
  await using cluster = await startCluster();
  const first = chatOn(cluster);
  await first.sendMessage({ text: '/sim text="one"' });
  const url = `data:image/png;base64,${PIXEL}`;
  await first.sendMessage({ text: '/sim text="two"', files: [{ type: "file", mediaType: "image/png", url }] });

  const again = chatOn(cluster, { messages: await messagesOf(cluster) });
  await again.regenerate();
  expect(again.error).toBeUndefined();
  await again.sendMessage({ text: '/sim text="three"', messageId: again.messages[0]?.id ?? "" });
  expect(again.error).toBeUndefined();
  expect(await currentTexts(cluster)).toEqual(['/sim text="three"', "three"]);
  expect((await messagesOf(cluster)).map(textOf)).toEqual(['/sim text="three"', "three"]);

  const sent = again.sendMessage({ text: "/sim tokens=60 rate=60" });
  await begun(again);
  const third = chatOn(cluster, { messages: await messagesOf(cluster) });
  expect(third.messages.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
  await third.resumeStream();
  await sent;
  expect(third.messages.map(textOf)).toEqual(again.messages.map(textOf));
});

test("a chat that began elsewhere has what was said there, and a call that still runs is no failed one", async () => {
  const { promise: done, resolve } = Promise.withResolvers<string>();
  const wait = defineTool({ description: "Waits.", input: z.object({}), run: () => done });
  const agents = defineAgents({ assistant: { model: "m", tools: ["wait"] } });
  await using cluster = await startCluster({ agents, tools: inlineTools({ wait }) });
  const messages: UIMessage[] = [
    { id: "1", role: "user", parts: part("My name is Ana.") },
    { id: "2", role: "assistant", parts: part("Hello Ana.") },
  ];
  const chat = chatOn(cluster, { messages });
  const first = chat.sendMessage({ text: "/sim tool=wait input={}" });
  const calls = async () =>
    (await messagesOf(cluster)).flatMap(({ parts }) => parts.filter(({ type }) => type === "dynamic-tool"));
  await expect.poll(async () => (await cluster.engine.runs({ limit: 1 })).items[0]?.steps).toBe(1);
  const second = chatOn(cluster).sendMessage({ text: "/sim tokens=1" });
  await expect.poll(calls).toMatchObject([{ state: "input-available" }]);

  resolve("waited");
  await Promise.all([first, second]);

  expect((await messagesOf(cluster)).map(({ role }) => role)).toEqual([
    "user",
    "assistant",
    "user",
    "assistant",
    "user",
    "assistant",
  ]);
  expect((await messagesOf(cluster)).slice(0, 3).map(textOf)).toEqual([
    "My name is Ana.",
    "Hello Ana.",
    "/sim tool=wait input={}",
  ]);
  expect(new Set((await messagesOf(cluster)).map(({ id }) => id)).size).toBe(6);
  expect(await calls()).toMatchObject([{ state: "output-available", output: "waited" }]);
});

test("a chat that does not exist, and one of somebody else, has no messages", async () => {
  const apiKeys = [
    { name: "ana", secret: "secret-of-ana", role: "client" },
    { name: "ben", secret: "secret-of-ben", role: "client" },
  ] as const;
  await using cluster = await startCluster({ settings: { apiKeys } });
  await cluster.client.chat("Hello", { thread_id: "mine" });
  const ask = async (id: string, secret: string) =>
    (await cluster.client.get(`/api/chat/${id}/messages`, { Authorization: `Bearer ${secret}` })).body;
  expect(await ask("none", "secret-of-ana")).toEqual({ messages: [], next: null });
  expect(await ask("mine", "secret-of-ben")).toEqual({ messages: [], next: null });
  expect((await ask("mine", "secret-of-ana"))["messages"]).toHaveLength(2);
});

test("a POST that is repeated makes one run", async () => {
  await using cluster = await startCluster();
  const message = { id: "m1", role: "user", parts: [{ type: "text", text: "Hello" }] };
  const post = () => cluster.client.post("/api/chat", { id: "t", messages: [message], trigger: "submit-message" });
  await Promise.all([post(), post()]);
  const { body } = await cluster.client.get("/api/runs?thread_id=t");
  expect(body["runs"]).toHaveLength(1);
});

/** The texts of the thread's current turns; superseded turns are left out. */
async function currentTexts({ client }: Cluster, threadId = "chat-1"): Promise<string[]> {
  const { body } = await client.get(`/api/threads/${threadId}`);
  const messages = body["messages"] as { content: string | { text?: string }[]; why?: string }[];
  return messages
    .filter(({ why }) => why !== "superseded")
    .map(({ content }) => (typeof content === "string" ? content : content.map(({ text }) => text ?? "").join("")));
}

test("an answer that is asked for anew takes the place of the old one, in the thread and for the model", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  await chat.sendMessage({ text: '/sim text="first"' });
  await chat.sendMessage({ text: '/sim text="second"' });
  const before = chat.messages.length;

  await chat.regenerate();

  expect(chat.error).toBeUndefined();
  expect(chat.messages).toHaveLength(before);
  expect(await currentTexts(cluster)).toEqual(['/sim text="first"', "first", '/sim text="second"', "second"]);
  const { body } = await cluster.client.get("/api/threads/chat-1");
  expect((body["messages"] as { why?: string }[]).map(({ why }) => why)).toEqual([
    undefined,
    undefined,
    "superseded",
    "superseded",
    undefined,
    undefined,
  ]);
});

test("an earlier answer that is asked for anew, and a message that is edited, drop all that came behind", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  for (const text of ["one", "two", "three"]) await chat.sendMessage({ text: `/sim text="${text}"` });
  const [, answer] = chat.messages;

  await chat.regenerate({ messageId: answer?.id ?? "" });
  expect(await currentTexts(cluster)).toEqual(['/sim text="one"', "one"]);
  expect(chat.messages).toHaveLength(2);

  await chat.sendMessage({ text: '/sim text="more"' });
  const [asked] = chat.messages;
  await chat.sendMessage({ text: '/sim text="edited"', messageId: asked?.id ?? "" });
  expect(chat.error).toBeUndefined();
  expect(await currentTexts(cluster)).toEqual(['/sim text="edited"', "edited"]);
  await chat.sendMessage({ text: '/sim text="edited-again"', messageId: asked?.id ?? "" });
  expect(await currentTexts(cluster)).toEqual(['/sim text="edited-again"', "edited-again"]);
});

test("an answer that is under way is canceled when its question is edited", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  const sent = chat.sendMessage({ text: "/sim tokens=6000 rate=60" });
  await begun(chat);
  // Closes the connection, and lets the run go on.
  await chat.stop();
  await sent;
  await chat.sendMessage({ text: "Hello", messageId: chat.messages[0]?.id ?? "" });
  const { body } = await cluster.client.get("/api/runs?thread_id=chat-1");
  expect(body["runs"]).toMatchObject([{ status: "completed" }, { status: "canceled" }]);
});

test("a run that fails is the chat's error", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  await chat.sendMessage({ text: "/sim status=401" });
  expect(chat.status).toBe("error");
  expect(chat.error?.message).toContain("401");
});
