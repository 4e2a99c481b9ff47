/** `Chat` of @ai-sdk/react with its default transport, as `useChat` uses it, on a cluster. */
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage } from "ai";
import type { Cluster } from "./cluster.ts";

export function chatOn(
  { port }: Cluster,
  { id = "chat-1", query = "", messages = [] as UIMessage[] } = {},
): Chat<UIMessage> {
  return new Chat({
    id,
    messages,
    transport: new DefaultChatTransport({ api: `http://127.0.0.1:${port}/api/chat${query}` }),
  });
}

export function textOf(message: UIMessage | undefined): string {
  return (message?.parts ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
}

export function part(text: string) {
  return [{ type: "text" as const, text }];
}

/** Resolves when the chat's last message has some text. */
export async function begun(chat: Chat<UIMessage>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = chat["~registerMessagesCallback"](() => {
    if (chat.lastMessage?.role === "assistant" && textOf(chat.lastMessage).length > 0) resolve();
  });
  await promise;
  stop();
}
