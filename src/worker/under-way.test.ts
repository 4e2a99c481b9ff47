/** The reply that is under way in a chat of the published AI SDK: to be resumed by another page, or to be canceled. */
import type { UIMessage } from "ai";
import { expect, test } from "vitest";
import { begun, chatOn, textOf } from "../testing/ai-sdk.ts";
import { startCluster } from "../testing/cluster.ts";

test("a page that is opened again gets the reply that is under way from its beginning, and then 204", async () => {
  await using cluster = await startCluster();
  const first = chatOn(cluster);
  const sent = first.sendMessage({ text: "/sim tokens=60 rate=60" });
  await begun(first);
  const second = chatOn(cluster);
  await second.resumeStream();
  await sent;
  expect(textOf(second.lastMessage)).toBe(textOf(first.lastMessage));
  expect(textOf(second.lastMessage)).toContain("tok60");
  const { status } = await cluster.client.get("/api/chat/chat-1/stream");
  expect(status).toBe(204);
});

test("what is under way in the chat can be canceled", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  const sent = chat.sendMessage({ text: "/sim tokens=6000 rate=60" });
  await begun(chat);
  await cluster.client.fetch("/api/chat/chat-1/stream", { method: "DELETE" });
  await sent;
  const { body } = await cluster.client.get("/api/runs?thread_id=chat-1");
  expect(body["runs"]).toMatchObject([{ status: "canceled" }]);
});

test("while a message runs whose successor was canceled, its reply can be resumed, shown and canceled", async () => {
  await using cluster = await startCluster();
  const first = chatOn(cluster);
  const sent = first.sendMessage({ text: "/sim tokens=6000 rate=60" });
  await begun(first);
  const other = chatOn(cluster, { messages: [...first.messages] });
  const waiting = other.sendMessage({ text: "second" });
  await expect.poll(async () => (await cluster.engine.runs({ limit: 2 })).items.length, { timeout: 10_000 }).toBe(2);
  const cancel = () => cluster.client.fetch("/api/chat/chat-1/stream", { method: "DELETE" });
  await cancel();
  await waiting;

  const { body } = await cluster.client.get("/api/chat/chat-1/messages");
  const resumed = chatOn(cluster, { messages: body["messages"] as UIMessage[] });
  expect(resumed.messages.map(({ role }) => role)).toEqual(["user", "user"]);
  const resuming = resumed.resumeStream();
  await begun(resumed);
  await cancel();
  await Promise.all([resuming, sent]);

  const { items } = await cluster.engine.runs({ threadId: "chat-1", limit: 2 });
  expect(items.map(({ status }) => status)).toEqual(["canceled", "canceled"]);
  expect(textOf(resumed.lastMessage)).toMatch(/^tok1 /);
});
