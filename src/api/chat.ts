/** Chat in its three forms: wait for the reply, stream the events, or take a task and poll. */
import { z } from "zod";
import { MAX_ASKED_CHARACTERS, MAX_TIMEOUT_MS } from "../core/limits.ts";
import { FINISH_REASONS, MULTITASK_STRATEGIES, RUN_STATUSES } from "../core/run.ts";
import { isUiChat, UI_CHAT } from "./ai-sdk.ts";
import { chosenId, expecting, jsonSchema, metadata, orNull, position, SUBAGENTS, text, wholeNumber } from "./fields.ts";
import { PARTS } from "./parts.ts";
import { ERROR_INFO } from "./problem.ts";
import { events, json, jsonOrEvents, route } from "./route.ts";
import { USAGE } from "./runs.ts";

const TEXT = expecting(z.string().regex(/\S/), "a string that is not empty, or a list of parts");

const RESPONSE_FORMAT = z.strictObject({
  type: z.literal("json_schema"),
  schema: jsonSchema(),
});

export const CHAT = z
  .strictObject({
    agent_id: expecting(z.string(), "the id of an agent (GET /api/agents lists them)"),
    message: z.union([TEXT, PARTS]).describe("Text, or parts: texts, pictures and documents."),
    thread_id: orNull(chosenId()).describe("The thread to continue. Without it a new thread begins."),
    run_id: orNull(chosenId()).describe(
      "An id of your choice. A repeated id returns the run that exists and starts no other.",
    ),
    multitask_strategy: orNull(z.enum(MULTITASK_STRATEGIES)).describe(
      "What to do while another run of the thread is under way: wait for its end (the default), refuse the message, or cancel the other run first.",
    ),
    supersedes: orNull(chosenId()).describe(
      "A run of the thread. This message replaces the turn of that run and all later turns. They can still be read, marked " +
        "`superseded`, but the model no longer gets them. Those of their runs that are under way are canceled.",
    ),
    on_disconnect: orNull(z.enum(["continue", "cancel"])).describe(
      "What happens to the run when the client disconnects.",
    ),
    subagents: orNull(SUBAGENTS),
    timeout_ms: orNull(wholeNumber(1, MAX_TIMEOUT_MS)).describe("The time limit of the run."),
    queue_timeout_ms: orNull(wholeNumber(1, MAX_TIMEOUT_MS)).describe(
      "How long the run may wait in the queue, to within a second. After that it fails with `QUEUE_TIMEOUT`. Without it the run waits without a limit.",
    ),
    metadata: orNull(metadata()).describe("Stored with the run and shown with it."),
    extra_context: orNull(text(MAX_ASKED_CHARACTERS)).describe(
      "Facts for this run only, added after the system prompt. The agent's `accepts` must allow it; the same is true of `instructions` and `response_format`.",
    ),
    instructions: orNull(text(MAX_ASKED_CHARACTERS)).describe("Instructions for the answer of this run only."),
    response_format: orNull(RESPONSE_FORMAT).describe(
      "The format that the reply must have. `output` is the parsed reply.",
    ),
  })
  .meta({ id: "Chat" });

export type Chat = Readonly<z.output<typeof CHAT>>;

export const REPLY = z
  .object({
    run_id: z.string(),
    thread_id: z.string(),
    agent_id: z.string(),
    status: z.enum(RUN_STATUSES),
    reply: z.string().nullable(),
    finish_reason: z.enum(FINISH_REASONS).nullable().describe("Why the run ended."),
    output: z.unknown().optional().describe("The parsed reply. Present when the request had a `response_format`."),
    usage: USAGE,
    steps: z.int(),
    duration_ms: z.int(),
  })
  .meta({ id: "Reply" });

export type Reply = Readonly<z.output<typeof REPLY>>;

const TASK_STATUSES = ["pending", "running", "completed", "failed", "canceled"] as const;

export const TASK = z
  .object({
    task_id: z.string(),
    status: z.enum(TASK_STATUSES),
    finish_reason: z.enum(FINISH_REASONS).exactOptional().describe("Present once the run is over."),
    result: REPLY.exactOptional().describe("Present once the run is completed."),
    error: ERROR_INFO.exactOptional().describe("Present once the run has failed."),
  })
  .meta({ id: "Task" });

export type Task = Readonly<z.output<typeof TASK>>;

export const ACCEPTED = z
  .object({ task_id: z.string(), run_id: z.string(), thread_id: z.string(), status: z.literal("pending") })
  .meta({ id: "AcceptedTask" });

export const KEY_HEADER = z.object({
  "idempotency-key": expecting(z.string().regex(/^[\x21-\x7e]{1,255}$/), "1 to 255 visible ASCII characters")
    .optional()
    .describe("A repeated request with the same key returns the first run."),
});

const headers = KEY_HEADER.extend({
  prefer: z
    .string()
    .optional()
    .describe("`respond-async`: answer 202 at once. `wait=N`: answer 202 after N seconds (RFC 7240)."),
});

const streamHeaders = headers.extend({
  "last-event-id": position()
    .optional()
    .describe("In a repeat of a request with a `run_id` or `Idempotency-Key`: the stream goes on after this `seq`."),
});

const errors = [
  "INVALID_JSON",
  "UNSUPPORTED_MEDIA_TYPE",
  "BODY_TOO_LARGE",
  "AGENT_NOT_FOUND",
  "RUN_ID_TAKEN",
  "THREAD_BUSY",
  "IDEMPOTENCY_MISMATCH",
  "OVERLOADED",
] as const;

const query = z.strictObject({});

export const POST_CHAT = route({
  method: "POST",
  path: "/api/chat",
  access: "client",
  summary: "Chat, and wait for the reply",
  description:
    "Use `Prefer: wait=20` for runs that may take long: the status is then always right, and is 202 with `Location` after " +
    "20 s. Without it, a reply that takes longer than 25 s begins with status 200 and newlines, so that no proxy on the way " +
    "closes the connection. If the run fails after that, the body breaks off.",
  query: z.strictObject({
    agent: z.string().optional().describe("The agent, for `useChat`. Without it the first agent answers."),
  }),
  headers: streamHeaders,
  body: CHAT,
  foreign: { is: isUiChat, body: UI_CHAT },
  answers: {
    200: jsonOrEvents(REPLY, "The run is over, and did not fail."),
    202: json(ACCEPTED, "With `Prefer: respond-async`, or after the seconds of `Prefer: wait=N`: poll `Location`."),
  },
  errors: [
    ...errors,
    "MODEL_UNAVAILABLE",
    "MODEL_REJECTED",
    "MODEL_REFUSED",
    "REPLY_MISFIT",
    "MODEL_UNAUTHORIZED",
    "MODEL_NOT_FOUND",
    "CONTEXT_TOO_LARGE",
    "STEP_LIMIT",
    "QUEUE_TIMEOUT",
    "RUN_TIMEOUT",
    "POISONED",
  ],
});

export const STREAM_CHAT = route({
  method: "POST",
  path: "/api/chat/stream",
  access: "client",
  summary: "Chat, and stream the run's events",
  description:
    "`Content-Location` names the run; GET its events with `Last-Event-ID` to resume, or send the same request again with it.",
  query,
  headers: streamHeaders,
  body: CHAT,
  answers: { 200: events("The run's events, until its last.") },
  errors,
});

export const BEGIN_CHAT = route({
  method: "POST",
  path: "/api/chat/async",
  access: "client",
  summary: "Chat, and poll for the reply",
  query,
  headers,
  body: CHAT,
  answers: { 202: json(ACCEPTED, "The run is queued: poll `Location`.") },
  errors,
});

export const SHOW_TASK = route({
  method: "GET",
  path: "/api/chat/task/{task_id}",
  access: "viewer",
  summary: "Show a run as a task to poll",
  query: z.strictObject({}),
  answers: { 200: json(TASK, "The task. The status is 200 also when the task failed.") },
  errors: ["RUN_NOT_FOUND"],
});
