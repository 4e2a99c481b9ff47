/**
 * What `useChat` of the AI SDK sends with its default transport (https://ai-sdk.dev/docs/ai-sdk-ui/transport), and the
 * routes that its transport calls besides `POST /api/chat`.
 */
import { z } from "zod";
import { MAX_PAGE_ROWS, MAX_TIMEOUT_MS } from "../core/limits.ts";
import { MULTITASK_STRATEGIES } from "../core/run.ts";
import { chosenId, metadata, NEXT, orNull, position, wholeNumber } from "./fields.ts";
import { empty, events, json, route } from "./route.ts";

const UI_MESSAGE = z
  .looseObject({
    id: z.string().optional(),
    role: z.enum(["system", "user", "assistant"]),
    // Empty in an answer that was stopped before it began. `useChat` sends that with every later message.
    parts: z.array(z.looseObject({ type: z.string() })),
  })
  .meta({ id: "UiMessage" });

/** The thread is stored here, so only the last of the messages that the client sends is new. */
export const UI_CHAT = z
  .strictObject({
    id: chosenId().describe("The id of the chat, which is also the id of the thread."),
    messages: z.array(UI_MESSAGE).min(1).optional(),
    message: UI_MESSAGE.optional().describe(
      "Takes the place of `messages` for a transport that sends only the new message.",
    ),
    trigger: z.enum(["submit-message", "regenerate-message"]).default("submit-message"),
    messageId: orNull(z.string()),
    agent_id: z.string().optional().describe("The agent, sent in the transport's `body`. `?agent=` does the same."),
    multitask_strategy: orNull(z.enum(MULTITASK_STRATEGIES)),
    on_disconnect: orNull(z.enum(["continue", "cancel"])),
    timeout_ms: orNull(wholeNumber(1, MAX_TIMEOUT_MS)),
    metadata: orNull(metadata()),
  })
  .meta({ id: "UiChat" });

export type UiChat = Readonly<z.output<typeof UI_CHAT>>;
export type UiMessage = Readonly<z.output<typeof UI_MESSAGE>>;

/**
 * Our request has `agent_id`, and `message` as text. A request of `useChat` has an `id`, and a message or messages with
 * parts.
 */
export function isUiChat({ id, messages, message }: Readonly<Record<string, unknown>>): boolean {
  return id !== undefined && (messages !== undefined || typeof message === "object");
}

/** The transport adds the query of its `api` to every request. */
const AGENT = z.strictObject({ agent: z.string().optional().describe("Has no effect: the chat keeps its agent.") });

export const RESUME_UI_CHAT = route({
  method: "GET",
  path: "/api/chat/{thread_id}/stream",
  access: "viewer",
  summary: "Resume the reply that is under way in a chat, for the AI SDK",
  query: AGENT,
  answers: {
    200: events("A UI message stream that starts with the beginning of the reply."),
    204: empty("Nothing is under way."),
  },
});

const UI_ANSWER = z
  .object({
    id: z.string(),
    role: z.enum(["user", "assistant"]),
    parts: z.array(z.looseObject({ type: z.string() })),
  })
  .meta({ id: "UiAnswer" });

export type UiAnswer = z.output<typeof UI_ANSWER>;

export const SHOW_UI_CHAT = route({
  method: "GET",
  path: "/api/chat/{thread_id}/messages",
  access: "viewer",
  summary: "Show the messages of a chat, for the AI SDK",
  description:
    "What `useChat` takes as `messages`, so that a page that is opened again shows the chat. A chat that does not exist has none. " +
    "The reply that is under way is left out: `resume` asks for it. The run that a page would cut is left for the next page, and a tool " +
    "call stays with its result.",
  query: z.strictObject({
    limit: wholeNumber(1, MAX_PAGE_ROWS).default(MAX_PAGE_ROWS).describe("The maximum number of stored messages."),
    before: position().optional().describe("Only messages before this position. Send the `next` of the previous page."),
  }),
  answers: {
    200: json(
      z.object({ messages: z.array(UI_ANSWER), next: NEXT }).meta({ id: "UiChatMessages" }),
      "A page of messages, oldest first: the newest ones, or those before `before`.",
    ),
  },
});

export const STOP_UI_CHAT = route({
  method: "DELETE",
  path: "/api/chat/{thread_id}/stream",
  access: "client",
  summary: "Cancel the reply that is under way in a chat",
  query: AGENT,
  answers: { 204: empty("The reply is canceled, or no reply was under way.") },
});
