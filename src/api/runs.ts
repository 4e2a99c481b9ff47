/** Runs: their shape, and the routes that list, show, follow and cancel them. */
import { z } from "zod";
import { FINISH_REASONS, RUN_STATUSES } from "../core/run.ts";
import { EPOCH_MS, NEXT, PAGE, position, SUBAGENTS } from "./fields.ts";
import { ERROR_INFO } from "./problem.ts";
import { empty, json, jsonOrEvents, route } from "./route.ts";

export const USAGE = z
  .object({
    input_tokens: z.int(),
    output_tokens: z.int(),
    cache_read_input_tokens: z.int(),
    cache_creation_input_tokens: z.int(),
  })
  .describe("Tokens, summed over the run's model calls.")
  .meta({ id: "Usage" });

/** A run as it is stored. */
const STORED_RUN = z.object({
  run_id: z.string(),
  thread_id: z.string(),
  agent_id: z.string(),
  parent_run_id: z.string().nullable().describe("The run that delegated this one. Null when a client started it."),
  retry_of: z.string().nullable().describe("The run that this one retries. Null when it is not a retry."),
  title: z.string().describe("The beginning of its message."),
  status: z.enum(RUN_STATUSES),
  waiting: z
    .object({
      reason: z.string(),
      until: EPOCH_MS.nullable().describe("When the run will probably continue. Null when that is not known."),
    })
    .exactOptional()
    .describe(
      "Present while the run is parked: it is `running`, but only waits for its model's limits, for a budget, or for runs that it delegated.",
    ),
  created_at: EPOCH_MS,
  started_at: EPOCH_MS.nullable(),
  finished_at: EPOCH_MS.nullable(),
  attempts: z.int().describe("How many processes have owned the run so far."),
  steps: z.int().describe("The number of model calls and tool calls."),
  usage: USAGE,
  spent: z
    .object({
      dollars: z
        .number()
        .describe("The cost of the run's own model calls by the agent's price. 0 when the agent has no price."),
      total_tokens: z.int().describe("Includes all delegated runs."),
      total_dollars: z.number().describe("Includes all delegated runs."),
    })
    .describe("What the run has cost so far."),
  reply: z.string().nullable(),
  finish_reason: z.enum(FINISH_REASONS).nullable().describe("Why the run ended. Null until it is over."),
  output: z.unknown().optional().describe("The parsed reply. Present when the request had a `response_format`."),
  error: ERROR_INFO.nullable(),
  timeout_ms: z.int().nullable(),
  cancel_requested: z.boolean(),
  metadata: z.record(z.string(), z.unknown()),
  principal: z.string().describe("Who started the run: the name of an API key, or `provider:user`."),
});

export const RUN = STORED_RUN.extend({
  duration_ms: z.int().nullable().describe("The time from its first claim to its end. Null until it is over."),
}).meta({ id: "Run" });

const EVENT = z.looseObject({ seq: z.int(), type: z.string(), timestamp: EPOCH_MS });

export type Usage = Readonly<z.output<typeof USAGE>>;
export type StoredRun = Readonly<z.output<typeof STORED_RUN>>;
export type Run = Readonly<z.output<typeof RUN>>;

export const LIST_RUNS = route({
  method: "GET",
  path: "/api/runs",
  access: "viewer",
  summary: "List runs, newest first",
  query: z.strictObject({
    ...PAGE,
    status: z.enum(RUN_STATUSES).optional().describe("`running` includes the runs that are parked."),
    parked: z.boolean().optional().describe("True: only runs that are parked (`waiting`). False: only the others."),
    agent_id: z.string().optional(),
    thread_id: z.string().optional(),
    parent_run_id: z.string().optional().describe("Only runs that this run delegated."),
    top_level: z.boolean().optional().describe("True: only runs that a client started. False: only delegated runs."),
  }),
  answers: { 200: json(z.object({ runs: z.array(RUN), next: NEXT }).meta({ id: "RunList" }), "A page of runs.") },
});

export const SHOW_RUN = route({
  method: "GET",
  path: "/api/runs/{run_id}",
  access: "viewer",
  summary: "Show a run",
  query: z.strictObject({}),
  answers: { 200: json(RUN, "The run.") },
  errors: ["RUN_NOT_FOUND"],
});

export const READ_EVENTS = route({
  method: "GET",
  path: "/api/runs/{run_id}/events",
  access: "viewer",
  summary: "Read the events of a run: a page of them, or a stream",
  description:
    "With `Accept: text/event-stream` the server sends events as they are appended, up to the run's last one. " +
    "With `subagents=inline` only the run's own events have an id. After a resume, the events of subagents that are under way " +
    "are sent again from their beginning, with the same `seq`s. " +
    "`Last-Event-ID` wins over `after`: a reconnecting EventSource sends both, and only the first is current.",
  query: z.strictObject({
    after: position().default(0).describe("Only events with a greater `seq`."),
    limit: PAGE.limit,
    subagents: SUBAGENTS.optional(),
  }),
  headers: z.object({ "last-event-id": position().optional().describe("The stream continues after this `seq`.") }),
  answers: {
    200: jsonOrEvents(z.object({ events: z.array(EVENT), next: NEXT }).meta({ id: "EventList" }), "Events in order."),
    204: empty("The run is over and there are no more events. An EventSource stops here."),
  },
  errors: ["RUN_NOT_FOUND"],
});

export const CANCEL_RUN = route({
  method: "POST",
  path: "/api/runs/{run_id}/cancel",
  access: "client",
  summary: "Cancel a run and all runs that it delegated",
  description: "Idempotent. A run that is over is returned unchanged.",
  query: z.strictObject({}),
  answers: { 200: json(RUN, "The run is over."), 202: json(RUN, "The run is ending.") },
  errors: ["RUN_NOT_FOUND"],
});

export const RETRY_RUN = route({
  method: "POST",
  path: "/api/runs/{run_id}/retry",
  access: "client",
  summary: "Retry a run that failed or was canceled",
  description:
    "Makes a new run (`retry_of`) that continues from the last checkpoint of this one, without a new message. Finished " +
    "tools are not repeated. Idempotent: a run is retried once, and a repeated request returns that retry.",
  query: z.strictObject({}),
  answers: {
    200: json(RUN, "It was retried before: the retry as it is now."),
    202: json(RUN, "The retry, which waits or runs: poll `Location`."),
  },
  errors: ["RUN_NOT_FOUND", "NOT_RETRYABLE", "OVERLOADED"],
});
