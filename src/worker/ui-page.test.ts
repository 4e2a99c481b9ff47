/** Pages of `GET /api/chat/{id}/messages`. */
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage } from "ai";
import { expect, test } from "vitest";
import { z } from "zod";
import { defineTool } from "../agent/tools/tool.ts";
import { defineAgents } from "../core/agent.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";

const look = defineTool({ description: "Looks.", input: z.object({}), effects: "pure", run: () => "seen" });
const THREAD = { thread_id: "t" };

function startLooking(more: object = {}): Promise<Cluster> {
  const agents = defineAgents({ assistant: { model: "m", tools: ["look"], ...more } });
  return startCluster({ agents, tools: inlineTools({ look }) });
}

/** All pages of the chat, the oldest first. */
async function pagesOf({ client }: Cluster, limit: number): Promise<UIMessage[][]> {
  const pages: UIMessage[][] = [];
  for (let query = ""; ;) {
    const { body } = await client.get(`/api/chat/t/messages?limit=${limit}${query}`);
    pages.unshift(body["messages"] as UIMessage[]);
    if (body["next"] === null) return pages;
    query = `&before=${JSON.stringify(body["next"])}`;
  }
}

function partsOf(messages: readonly UIMessage[]) {
  return messages.flatMap(({ role, parts }) => parts.map((part) => ({ role, ...part })));
}

/** Three runs of four stored messages each. */
async function chatThrice({ client }: Cluster): Promise<void> {
  for (const text of ["one", "two", "three"])
    await client.chat(`${text}\n/sim tool=look input={} tool=look input={}`, THREAD);
}

test.each([4, 5, 7, 9, 12])("pages of %i stored messages have the messages of the whole chat", async (limit) => {
  await using cluster = await startLooking();
  await chatThrice(cluster);
  const [whole = []] = await pagesOf(cluster, 100);
  expect(whole.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant", "user", "assistant"]);

  expect((await pagesOf(cluster, limit)).flat()).toEqual(whole);
});

test.each([1, 2, 3])(
  "pages of %i messages, less than a run, have each part once, and calls with results",
  async (limit) => {
    await using cluster = await startLooking();
    await chatThrice(cluster);
    const [whole = []] = await pagesOf(cluster, 100);

    const messages = (await pagesOf(cluster, limit)).flat();

    expect(partsOf(messages)).toEqual(partsOf(whole));
    expect(new Set(messages.map(({ id }) => id)).size).toBe(messages.length);
  },
);

test("an answer that met its limit, and one after a compaction, are one message each", async () => {
  await using cluster = await startLooking({ limits: { maxSteps: 12 }, context: { tokens: 2_000, keepTurns: 1 } });
  await cluster.client.chat(`remember me ${"z".repeat(300)}\n/sim loop`, THREAD);
  for (const turn of [1, 2, 3, 4]) await cluster.client.chat(`turn ${turn} ${"y".repeat(1_600)}`, THREAD);
  const { body } = await cluster.client.get("/api/threads/t");
  const stored = body["messages"] as { note?: string; compaction?: object }[];
  expect(stored.filter(({ note }) => note !== undefined)).not.toEqual([]);
  expect(stored.filter(({ compaction }) => compaction !== undefined)).not.toEqual([]);

  const messages = (await pagesOf(cluster, 100)).flat();

  expect(messages.map(({ role }) => role)).toEqual([1, 2, 3, 4, 5].flatMap(() => ["user", "assistant"]));
  expect(messages.filter(({ parts }) => parts.length === 0)).toEqual([]);
  expect(new Set(messages.map(({ id }) => id)).size).toBe(10);
});

test("the call of a run stays under way, however many messages wait behind it", async () => {
  const { promise: done, resolve } = Promise.withResolvers<string>();
  const called = Promise.withResolvers<void>();
  const wait = defineTool({
    description: "Waits.",
    input: z.object({}),
    run: () => {
      called.resolve();
      return done;
    },
  });
  const agents = defineAgents({ assistant: { model: "m", tools: ["wait"] } });
  await using cluster = await startCluster({ agents, tools: inlineTools({ wait }) });
  await cluster.client.begin("/sim tool=wait input={}", THREAD);
  await called.promise;
  for (let n = 0; n < 30; n += 1) await cluster.client.begin("Hello", THREAD);

  const [page = []] = await pagesOf(cluster, 100);

  const calls = page.flatMap(({ parts }) => parts.filter(({ type }) => type === "dynamic-tool"));
  expect(calls).toMatchObject([{ state: "input-available" }]);
  resolve("waited");
});

/** A page that is opened again, with the messages from here. */
async function reopened(cluster: Cluster): Promise<Chat<UIMessage>> {
  const [messages = []] = await pagesOf(cluster, 100);
  return chatOn(cluster, messages);
}

function chatOn({ port }: Cluster, messages: UIMessage[]): Chat<UIMessage> {
  const transport = new DefaultChatTransport({ api: `http://127.0.0.1:${port}/api/chat` });
  return new Chat({ id: "t", messages, transport });
}

function textsOf(messages: readonly UIMessage[]): string[] {
  return partsOf(messages).flatMap((part) => ("text" in part ? part.text : []));
}

const ELSEWHERE: UIMessage[] = [
  { id: "1", role: "user", parts: [{ type: "text", text: "a" }] },
  { id: "2", role: "assistant", parts: [{ type: "text", text: "b" }] },
  { id: "3", role: "user", parts: [{ type: "text", text: "c" }] },
  { id: "4", role: "assistant", parts: [{ type: "text", text: "d" }] },
];

test("a message that was said elsewhere can be edited, and what stood before it stays", async () => {
  await using cluster = await startLooking();
  await chatOn(cluster, ELSEWHERE).sendMessage({ text: '/sim text="one"' });
  const again = await reopened(cluster);
  expect(textsOf(again.messages)).toEqual(["a", "b", "c", "d", '/sim text="one"', "one"]);

  await again.sendMessage({ text: '/sim text="two"', messageId: again.messages[2]?.id ?? "" });

  expect(again.error).toBeUndefined();
  const [after = []] = await pagesOf(cluster, 100);
  expect(textsOf(after)).toEqual(["a", "b", '/sim text="two"', "two"]);
});

test.each(["regenerate", "edit"])("a chat whose thread was removed begins anew (%s)", async (how) => {
  await using cluster = await startLooking();
  for (const text of ["one", "two"]) await cluster.client.chat(`/sim text="${text}"`, THREAD);
  const open = await reopened(cluster);
  await cluster.client.fetch("/api/threads/t", { method: "DELETE" });

  if (how === "regenerate") await open.regenerate();
  else await open.sendMessage({ text: '/sim text="three"', messageId: open.messages[2]?.id ?? "" });

  expect(open.error).toBeUndefined();
  const last = how === "regenerate" ? "two" : "three";
  const [after = []] = await pagesOf(cluster, 100);
  expect(textsOf(after)).toEqual(['/sim text="one"', "one", `/sim text="${last}"`, last]);
});
