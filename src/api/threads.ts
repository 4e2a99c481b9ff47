/** Threads: list, one with its messages, delete. */
import { z } from "zod";
import { FINISH_REASONS } from "../core/run.ts";
import { MAX_PAGE_ROWS } from "../core/limits.ts";
import { EPOCH_MS, NEXT, PAGE, position, wholeNumber } from "./fields.ts";
import { DOCUMENT, IMAGE } from "./parts.ts";
import { empty, json, route } from "./route.ts";

const THREAD_SUMMARY = z
  .object({
    thread_id: z.string(),
    title: z.string().describe("The beginning of its first user message."),
    created_at: EPOCH_MS,
    updated_at: EPOCH_MS,
    runs: z.int().describe("The number of runs."),
  })
  .meta({ id: "ThreadSummary" });

const TEXT = z.object({
  type: z.literal("text"),
  text: z.string(),
  citations: z
    .array(z.looseObject({ type: z.string() }))
    .readonly()
    .exactOptional()
    .describe(
      "The sources that an answer cites, in the shape of the Messages API. The model gets them back unchanged.",
    ),
});
const TOOL_USE = z.object({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.unknown(),
  cut: z.literal(true).exactOptional().describe("The arguments were cut off, so the tool did not run."),
  not_json: z
    .string()
    .exactOptional()
    .describe("The beginning of arguments that were not JSON, or nested too deeply. The tool did not run."),
});
/** Text, and pictures and documents that are stored as files: the same parts as in a user's message. */
const RESULT_PART = z.discriminatedUnion("type", [TEXT, IMAGE, DOCUMENT]).meta({ id: "ToolResultPart" });
const TOOL_RESULT = z.object({
  type: z.literal("tool_result"),
  tool_use_id: z.string(),
  content: z.union([z.string(), z.array(RESULT_PART).readonly()]),
  is_error: z.boolean().exactOptional(),
});
const THINKING = z
  .object({ type: z.literal("thinking"), thinking: z.string(), signature: z.string() })
  .describe("The model gets it back unchanged, because its signature covers it.");
const REDACTED_THINKING = z.object({ type: z.literal("redacted_thinking"), data: z.string() });

/** Content blocks, in the shapes of the Anthropic Messages API. */
const CONTENT_BLOCK = z
  .discriminatedUnion("type", [TEXT, IMAGE, DOCUMENT, TOOL_USE, TOOL_RESULT, THINKING, REDACTED_THINKING])
  .meta({ id: "ContentBlock" });

const COMPACTION = z
  .object({
    model: z.string(),
    budget: z.int().describe("The maximum size of the conversation in tokens."),
    from: z.int().describe("This many messages at the beginning of the thread are not sent."),
    cleared_before: z
      .int()
      .describe("The tool results among this many messages at the beginning are sent without content."),
    summary: z.string().exactOptional().describe("The text that is sent in place of the messages before `from`."),
  })
  .describe("The shortened form in which the model gets the thread from here on. Readers still see the whole thread.");

const MESSAGE = z.object({
  role: z.enum(["user", "assistant"]),
  content: z.union([z.string(), z.array(CONTENT_BLOCK).readonly()]),
  model: z.string().exactOptional().describe("The model that wrote the message. Absent in messages of older versions."),
  cut: z.enum(FINISH_REASONS).exactOptional().describe("The answer is incomplete. The value says why its run ended."),
  compaction: COMPACTION.exactOptional(),
  note: z
    .string()
    .exactOptional()
    .describe("A note of the server for the model, sent after this message. No person wrote it."),
});

const UNSENT_REASON = z
  .enum(["withdrawn", "refused", "rejected", "too_large", "repeated", "retried", "superseded"])
  .describe(
    "withdrawn: its run was canceled before it began. refused: the model refused to answer. rejected: the API called the request invalid. " +
      "too_large: it does not fit the model's context window. repeated: the message before it is the same and failed. " +
      "retried: its run was retried, and the retry has the same messages. " +
      "superseded: a later run answers in its place.",
  );

const STORED_MESSAGE = MESSAGE.extend({
  run_id: z.string(),
  at: EPOCH_MS,
  sent: z.literal(false).exactOptional().describe("Present when the model does not get this message."),
  why: UNSENT_REASON.exactOptional(),
}).meta({ id: "Message" });

const THREAD = THREAD_SUMMARY.extend({
  messages: z
    .array(STORED_MESSAGE)
    .readonly()
    .describe("A page of messages, oldest first: the newest ones, or those before `before`."),
  next: z.int().nullable().describe("Send this as `before` to get older messages. Null when there are none."),
}).meta({ id: "Thread" });

export type ThreadSummary = Readonly<z.output<typeof THREAD_SUMMARY>>;
export type Thread = Readonly<z.output<typeof THREAD>>;
export type Citation = NonNullable<z.output<typeof TEXT>["citations"]>[number];
export type ToolUseBlock = Readonly<z.output<typeof TOOL_USE>>;
export type ToolResultPart = Readonly<z.output<typeof RESULT_PART>>;
export type ToolResultBlock = Readonly<z.output<typeof TOOL_RESULT>>;
export type ContentBlock = Readonly<z.output<typeof CONTENT_BLOCK>>;
export type Compaction = Readonly<z.output<typeof COMPACTION>>;
export type Message = Readonly<z.output<typeof MESSAGE>>;
/** Why a message is not sent to the model (`engine/rules/unsent.ts`). */
export type UnsentReason = z.output<typeof UNSENT_REASON>;
export type StoredMessage = Readonly<z.output<typeof STORED_MESSAGE>>;

export const LIST_THREADS = route({
  method: "GET",
  path: "/api/threads",
  access: "viewer",
  summary: "List threads, those with the newest runs first",
  query: z.strictObject(PAGE),
  answers: {
    200: json(
      z.object({ threads: z.array(THREAD_SUMMARY), next: NEXT }).meta({ id: "ThreadList" }),
      "A page of threads.",
    ),
  },
});

export const SHOW_THREAD = route({
  method: "GET",
  path: "/api/threads/{thread_id}",
  access: "viewer",
  summary: "Show a thread with its messages",
  description:
    "A page ends with the message with which it reaches a megabyte of JSON. It has at least one message, unless there are none.",
  query: z.strictObject({
    limit: wholeNumber(1, MAX_PAGE_ROWS).default(MAX_PAGE_ROWS).describe("The maximum number of messages."),
    before: position().optional().describe("Only messages before this position. Send the `next` of the previous page."),
  }),
  answers: { 200: json(THREAD, "The thread.") },
  errors: ["THREAD_NOT_FOUND"],
});

export const DELETE_THREAD = route({
  method: "DELETE",
  path: "/api/threads/{thread_id}",
  access: "client",
  summary: "Delete a thread with its runs, events and activities",
  query: z.strictObject({}),
  answers: { 204: empty("The thread is deleted.") },
  errors: ["THREAD_NOT_FOUND", "THREAD_BUSY"],
});
