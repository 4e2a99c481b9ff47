/** Messages of the published AI SDK with files and other parts: what goes to the model, and what is refused. */
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage } from "ai";
import { expect, test } from "vitest";
import { chatOn, part, textOf } from "../testing/ai-sdk.ts";
import { startCluster } from "../testing/cluster.ts";
import { PIXEL } from "../testing/pictures.ts";

test.each([
  ["text/csv", "a,b"],
  ["text/markdown", "# A"],
  ["application/json", "{}"],
])("a file of %s goes to the model as text", async (mediaType, text) => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  const url = `data:${mediaType};base64,${Buffer.from(text).toString("base64")}`;
  await chat.sendMessage({ text: "See", files: [{ type: "file", mediaType, url }] });
  expect(chat.error).toBeUndefined();
  expect(textOf(chat.lastMessage)).toContain("1 document");
});

test("a large picture is uploaded first, and a transport may send the newest message only", async () => {
  await using cluster = await startCluster();
  const api = `${cluster.client.url}/api/chat`;
  const transport = new DefaultChatTransport<UIMessage>({
    api,
    prepareSendMessagesRequest: ({ id, messages, trigger, messageId }) => ({
      body: { id, message: messages.at(-1), trigger, messageId },
    }),
  });
  const chat = new Chat<UIMessage>({ id: "chat-1", transport });
  const upload = { method: "POST", body: Buffer.from(PIXEL, "base64"), headers: { "Content-Type": "image/png" } };
  const { body: file } = await cluster.client.ask("/api/files", upload);
  const url = `/api/files/${String(file["file_id"])}`;

  await chat.sendMessage({ text: "See", files: [{ type: "file", mediaType: "image/png", url }] });
  expect(textOf(chat.lastMessage)).toContain("1 picture");
  await chat.regenerate();
  expect(textOf(chat.lastMessage)).toContain("1 picture");
  await chat.sendMessage({ text: "And now?" });
  expect(textOf(chat.lastMessage)).toContain("turn 2");

  const stranger = new Chat<UIMessage>({ id: "chat-2", transport });
  await stranger.sendMessage({
    text: "See",
    files: [{ type: "file", mediaType: "image/png", url: "/api/files/none" }],
  });
  expect(stranger.error?.message).toContain("FILE_NOT_FOUND");
});

test("a picture without a word goes to the model, and parts for the page do not", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  const url = `data:image/png;base64,${PIXEL}`;
  await chat.sendMessage({ text: "", files: [{ type: "file", mediaType: "image/png", url }] });
  expect(textOf(chat.lastMessage)).toContain("1 picture");
  await chat.sendMessage({ parts: [...part("Where?"), { type: "data-place", data: { latitude: 1 } }] });
  expect(textOf(chat.lastMessage)).toContain("“Where?”");
  await chat.sendMessage({ text: " " });
  expect(chat.error?.message).toContain("a list with a text that is not empty, or a file");
});

test.each([
  { mediaType: "image/png", url: { toString: 1 } },
  { mediaType: { toString: 1 }, url: "ftp://a/b" },
])("a file part of %j is a mistake of the client", async (part) => {
  await using cluster = await startCluster();
  const messages = [{ id: "1", role: "user", parts: [{ type: "file", ...part }] }];
  const { status, body } = await cluster.client.post("/api/chat", { id: "t", messages });
  expect([status, body["code"]]).toEqual([400, "INVALID_REQUEST"]);
});

test("a picture is stored and goes to the model", async () => {
  await using cluster = await startCluster();
  const chat = chatOn(cluster);
  const url = `data:image/png;base64,${PIXEL}`;
  await chat.sendMessage({ text: "What is this?", files: [{ type: "file", mediaType: "image/png", url }] });
  expect(chat.error).toBeUndefined();
  const { body } = await cluster.client.get("/api/threads/chat-1");
  const [message] = body["messages"] as { content: { type: string }[] }[];
  expect(message?.content.map(({ type }) => type).toSorted()).toEqual(["image", "text"]);
});

test("a message that cannot be read is refused with what to send", async () => {
  await using cluster = await startCluster();
  const message = { id: "m", role: "user", parts: [{ type: "audio" }] };
  const { status, body } = await cluster.client.post("/api/chat", { id: "t", messages: [message] });
  expect(status).toBe(400);
  expect(body.detail).toContain("Expected `parts[0]` to be a part of type `text`");
});
