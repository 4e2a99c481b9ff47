/**
 * OpenAI's routes (https://platform.openai.com/docs/api-reference): models, chat completions and responses. `model` is
 * an agent's id. Sampling parameters are accepted, because every client library sends some, but they change nothing:
 * the agent's configuration decides. Only the server has tools: a request with its own tools is refused, because its
 * client would wait for calls that never come.
 */
import { z } from "zod";
import { KEY_HEADER } from "./chat.ts";
import { chosenId, expecting, jsonSchema, orNull } from "./fields.ts";
import { json, route } from "./route.ts";

const NO_TOOLS = expecting(
  z.array(z.unknown()).max(0),
  "left out: the agent's tools run on the server, and a client has none",
);

/** A field that would change the answer and is not supported: to ignore it in silence would give the wrong answer. */
function notHere(why: string) {
  return orNull(expecting(z.never(), `left out: ${why}`));
}

const TEXT_PART = z.looseObject({ type: z.enum(["text", "input_text", "output_text"]), text: z.string() });
/** Parts that chat completions and responses share. */
const IMAGE_PART = z.looseObject({
  type: z.enum(["image_url", "input_image"]),
  image_url: z.union([z.string(), z.looseObject({ url: z.string() })]),
});
/** In place of a text, where a model refused to answer. */
const REFUSAL_PART = z.looseObject({ type: z.literal("refusal"), refusal: z.string() });
const CONTENT = expecting(
  z.union([z.string(), z.array(expecting(z.union([TEXT_PART, IMAGE_PART, REFUSAL_PART]), "a text or image part"))]),
  "text, or a list of text and image parts",
);

const MESSAGE = z
  .looseObject({
    role: z.enum(["system", "developer", "user", "assistant"]),
    content: orNull(CONTENT).describe("Null in an answer without text."),
    refusal: orNull(z.string()).describe("In place of `content`, where a model refused to answer."),
    tool_calls: orNull(NO_TOOLS),
  })
  .meta({ id: "OpenAiMessage" });

export type OpenAiMessage = Readonly<z.output<typeof MESSAGE>>;

const SHARED = {
  model: expecting(z.string(), "the id of an agent (GET /v1/models lists them)"),
  stream: orNull(z.boolean()),
  tools: orNull(NO_TOOLS),
  functions: orNull(NO_TOOLS),
  tool_choice: orNull(expecting(z.enum(["auto", "none"]), '"auto", "none" or left out: a client has no tools here')),
};

const RESPONSE_FORMAT = z.looseObject({
  type: z.enum(["text", "json_object", "json_schema"]),
  json_schema: orNull(z.looseObject({ schema: orNull(jsonSchema()) })),
});

export type OpenAiFormat = Readonly<z.output<typeof RESPONSE_FORMAT>>;

const COMPLETION_REQUEST = z
  .looseObject({
    ...SHARED,
    messages: z.array(MESSAGE).min(1).describe("The whole conversation. The last message must be the user's."),
    n: orNull(expecting(z.literal(1), "1 or left out: an agent gives one answer")),
    response_format: orNull(RESPONSE_FORMAT).describe(
      "The format that the reply must have, where the agent's `accepts` allows it. A stream then sends the reply in one piece.",
    ),
    stream_options: orNull(z.looseObject({ include_usage: orNull(z.boolean()) })),
    thread_id: orNull(chosenId()).describe(
      "An extension of evenkeel: the thread to continue. The thread stores the conversation.",
    ),
  })
  .meta({ id: "ChatCompletionRequest" });

/** Items of an earlier response may come in again. Reasoning is dropped: thoughts of others mean nothing to a model. */
const INPUT_ITEM = expecting(
  z.union([MESSAGE, z.looseObject({ type: z.literal("reasoning") })]),
  "a message with `role` and `content`, or a reasoning item",
);

const RESPONSE_REQUEST = z
  .looseObject({
    ...SHARED,
    input: expecting(z.union([z.string().regex(/\S/), z.array(INPUT_ITEM).min(1)]), "text, or a list of messages"),
    instructions: orNull(z.string()).describe("Instructions, placed before the user's message."),
    previous_response_id: orNull(z.string()).describe("The response from which the conversation goes on."),
    conversation: notHere("`previous_response_id` continues a conversation"),
    prompt: notHere("the agent's prompt is in config/agents.ts"),
    text: orNull(
      z.looseObject({
        format: orNull(
          z.looseObject({
            type: expecting(z.literal("text"), '"text": chat completions take a `response_format`'),
          }),
        ),
      }),
    ),
    background: orNull(z.boolean()).describe("True: answer at once. GET the response later."),
    store: orNull(z.boolean()).describe("False: the server stores nothing."),
    metadata: orNull(z.record(z.string().max(64), z.string().max(512))),
  })
  .meta({ id: "ResponseRequest" });

const MODEL = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: z.int(),
  owned_by: z.literal("evenkeel"),
});

/** Answers have only a rough schema here, because OpenAI's reference describes them. */
const COMPLETION = z.looseObject({ id: z.string(), object: z.literal("chat.completion") });
const RESPONSE = z.looseObject({ id: z.string(), object: z.literal("response"), status: z.string() });

export const LIST_MODELS = route({
  method: "GET",
  path: "/v1/models",
  access: "viewer",
  summary: "List the agents as models, for OpenAI's clients",
  answers: { 200: json(z.object({ object: z.literal("list"), data: z.array(MODEL) }), "All agents.") },
});

export const SHOW_MODEL = route({
  method: "GET",
  path: "/v1/models/{model}",
  access: "viewer",
  summary: "Show an agent as a model",
  answers: { 200: json(MODEL, "The agent.") },
  errors: ["AGENT_NOT_FOUND"],
});

export const COMPLETE_CHAT = route({
  method: "POST",
  path: "/v1/chat/completions",
  access: "client",
  summary: "Make a chat completion, whole or streamed",
  description:
    "Without `thread_id` the server stores nothing, and the run is canceled when the client disconnects, unless an " +
    "`Idempotency-Key` lets the client ask for it again.",
  headers: KEY_HEADER,
  body: COMPLETION_REQUEST,
  answers: { 200: json(COMPLETION, "The completion. With `stream`, its chunks as server-sent events.") },
  errors: [
    "INVALID_JSON",
    "UNSUPPORTED_MEDIA_TYPE",
    "BODY_TOO_LARGE",
    "AGENT_NOT_FOUND",
    "IDEMPOTENCY_MISMATCH",
    "OVERLOADED",
  ],
});

export const CREATE_RESPONSE = route({
  method: "POST",
  path: "/v1/responses",
  access: "client",
  summary: "Make a response, whole, streamed or in the background",
  headers: KEY_HEADER,
  body: RESPONSE_REQUEST,
  answers: { 200: json(RESPONSE, "The response. With `stream`, its events.") },
  errors: [
    "INVALID_JSON",
    "UNSUPPORTED_MEDIA_TYPE",
    "BODY_TOO_LARGE",
    "AGENT_NOT_FOUND",
    "RUN_NOT_FOUND",
    "THREAD_BUSY",
    "IDEMPOTENCY_MISMATCH",
    "OVERLOADED",
  ],
});

export const SHOW_RESPONSE = route({
  method: "GET",
  path: "/v1/responses/{response_id}",
  access: "viewer",
  summary: "Show a response as it is now, or stream its events",
  query: z.looseObject({
    stream: z.boolean().optional(),
    starting_after: z.int().min(0).optional().describe("With `stream`: only events after this `sequence_number`."),
  }),
  answers: { 200: json(RESPONSE, "The response. With `stream`, its events.") },
  errors: ["RUN_NOT_FOUND"],
});

export const CANCEL_RESPONSE = route({
  method: "POST",
  path: "/v1/responses/{response_id}/cancel",
  access: "client",
  summary: "Cancel a response that is under way",
  answers: { 200: json(RESPONSE, "The response. It may still be ending.") },
  errors: ["RUN_NOT_FOUND"],
});
