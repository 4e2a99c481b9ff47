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
    runs: z.int().describe("How many it has."),
  })
  .meta({ id: "ThreadSummary" });

const TEXT = z.object({
  type: z.literal("text"),
  text: z.string(),
  citations: z
    .array(z.looseObject({ type: z.string() }))
    .readonly()
    .exactOptional()
    .describe("What an answer cites, as the Messages API has it; it goes back as it came."),
});
const TOOL_USE = z.object({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.unknown(),
  cut: z.literal(true).exactOptional().describe("Its arguments were cut off: it did not run."),
  not_json: z.string().exactOptional().describe("How its arguments began, which were no JSON: it did not run."),
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
  .describe("Goes back to the model exactly as it came: its signature covers it.");
const REDACTED_THINKING = z.object({ type: z.literal("redacted_thinking"), data: z.string() });

/** Content blocks, in the shapes of the Anthropic Messages API. */
const CONTENT_BLOCK = z
  .discriminatedUnion("type", [TEXT, IMAGE, DOCUMENT, TOOL_USE, TOOL_RESULT, THINKING, REDACTED_THINKING])
  .meta({ id: "ContentBlock" });

const COMPACTION = z
  .object({
    model: z.string(),
    budget: z.int().describe("Tokens that the conversation may have."),
    from: z.int().describe("Messages of the thread before this count are not sent."),
    cleared_before: z.int().describe("Tool results before this count are sent without their content."),
    summary: z.string().exactOptional().describe("What is sent in place of the messages before `from`."),
  })
  .describe("From here on the model gets the thread like this. Readers lose nothing.");

const MESSAGE = z.object({
  role: z.enum(["user", "assistant"]),
  content: z.union([z.string(), z.array(CONTENT_BLOCK).readonly()]),
  model: z.string().exactOptional().describe("The model that wrote it. Messages of older versions do not say."),
  cut: z.enum(FINISH_REASONS).exactOptional().describe("The answer ends before its end: why its run did."),
  compaction: COMPACTION.exactOptional(),
  note: z.string().exactOptional().describe("What the server tells the model behind this message: no person said it."),
});

const UNSENT_REASON = z
  .enum(["withdrawn", "refused", "rejected", "too_large", "repeated", "retried", "superseded"])
  .describe(
    "withdrawn: canceled before it began. refused: by the model. rejected: the API took the request for invalid. " +
      "too_large: for the model's window. repeated: the message before it is the same, and failed. " +
      "retried: its run was retried, and the retry has the same messages. " +
      "superseded: a later run answers in its place.",
  );

const STORED_MESSAGE = MESSAGE.extend({
  run_id: z.string(),
  at: EPOCH_MS,
  sent: z.literal(false).exactOptional().describe("Only there when the model does not get to see it."),
  why: UNSENT_REASON.exactOptional(),
}).meta({ id: "Message" });

const THREAD = THREAD_SUMMARY.extend({
  messages: z
    .array(STORED_MESSAGE)
    .readonly()
    .describe("A page of them, oldest first: the newest, or those before `before`."),
  next: z.int().nullable().describe("`before` of the page of older messages; null when there are none."),
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
  summary: "Threads, those with the newest runs first",
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
  summary: "One thread with its messages",
  description: "A page ends with the message that reaches a megabyte of JSON, and always has one, if there is one.",
  query: z.strictObject({
    limit: wholeNumber(1, MAX_PAGE_ROWS).default(MAX_PAGE_ROWS).describe("Messages at most."),
    before: position().optional().describe("Only messages before this position: `next` of the page before."),
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
  answers: { 204: empty("It is gone.") },
  errors: ["THREAD_NOT_FOUND", "THREAD_BUSY"],
});
