/**
 * Jobs: one tool, without a model, as a run in the background. A job is followed, polled and canceled like any other
 * run.
 */
import { z } from "zod";
import { TOOL_NAME } from "../core/job.ts";
import { MAX_TIMEOUT_MS } from "../core/limits.ts";
import { ACCEPTED, KEY_HEADER } from "./chat.ts";
import { chosenId, expecting, metadata, orNull, wholeNumber } from "./fields.ts";
import { json, route } from "./route.ts";

const JOB = z
  .strictObject({
    tool: expecting(
      z.string().regex(TOOL_NAME),
      "the name of a file in config/tools/, or SERVER__TOOL of an MCP server",
    ),
    input: expecting(z.record(z.string(), z.unknown()), "an object: the arguments of the tool").default({}),
    run_id: orNull(chosenId()).describe(
      "An id of your choice. A repeated id returns the job that exists and starts no other.",
    ),
    timeout_ms: orNull(wholeNumber(1, MAX_TIMEOUT_MS)).describe("The time limit of the job. The default is one hour."),
    metadata: orNull(metadata()).describe("Stored with the run and passed to the tool."),
  })
  .meta({ id: "Job" });

export const BEGIN_JOB = route({
  method: "POST",
  path: "/api/jobs",
  // Only an admin: no agent decides which tool is called, and no prompt limits its use.
  access: "admin",
  summary: "Run one tool in the background",
  description:
    "`Location` shows the run. If no such tool exists, the run fails. The `agent_id` of the run is `tool:NAME`, and its reply " +
    "is the result of the tool. A job adds nothing to a conversation.",
  query: z.strictObject({}),
  headers: KEY_HEADER,
  body: JOB,
  answers: { 202: json(ACCEPTED, "The job waits or runs: poll `Location`.") },
  errors: [
    "INVALID_JSON",
    "UNSUPPORTED_MEDIA_TYPE",
    "BODY_TOO_LARGE",
    "RUN_ID_TAKEN",
    "IDEMPOTENCY_MISMATCH",
    "OVERLOADED",
  ],
});
