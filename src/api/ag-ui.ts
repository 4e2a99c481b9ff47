/** `POST /api/agui/{agent_id}`: the request of AG-UI's clients (https://docs.ag-ui.com/concepts/agents, RunAgentInput). */
import { z } from "zod";
import { chosenId, position, SUBAGENTS } from "./fields.ts";
import { events, route } from "./route.ts";

/** A message that only calls tools has no content. */
const MESSAGE = z
  .looseObject({ id: z.string(), role: z.string(), content: z.unknown().optional() })
  .meta({ id: "AgUiMessage" });

const RUN_AGENT_INPUT = z
  .looseObject({
    threadId: chosenId(),
    runId: chosenId().describe("A repeated id returns the run that exists and starts no other."),
    messages: z
      .array(MESSAGE)
      .min(1)
      .describe("The last message is the user's new message. Earlier ones begin a thread that is new here."),
    context: z
      .array(z.looseObject({ description: z.string(), value: z.string() }))
      .optional()
      .describe("Goes to the agent as `extra_context`, if its `accepts` allows that."),
  })
  .meta({ id: "RunAgentInput" });

export type RunAgentInput = Readonly<z.output<typeof RUN_AGENT_INPUT>>;

export const RUN_AGENT = route({
  method: "POST",
  path: "/api/agui/{agent_id}",
  access: "client",
  summary: "Run an agent for a client of AG-UI",
  description:
    "The server keeps the thread under the client's `threadId`. It does not call tools that the client offers.",
  query: z.strictObject({
    subagents: SUBAGENTS.optional(),
    on_disconnect: z
      .enum(["continue", "cancel"])
      .optional()
      .describe(
        "What happens to the run when the client disconnects, which `abortRun()` does. The default is to continue.",
      ),
  }),
  headers: z.object({
    "last-event-id": position().optional().describe("With the `runId` of a run that exists: begin after this `seq`."),
  }),
  body: RUN_AGENT_INPUT,
  answers: { 200: events("The run's events up to its last one, in the order that AG-UI's verifier requires.") },
  errors: [
    "INVALID_JSON",
    "UNSUPPORTED_MEDIA_TYPE",
    "BODY_TOO_LARGE",
    "AGENT_NOT_FOUND",
    "RUN_ID_TAKEN",
    "THREAD_BUSY",
    "OVERLOADED",
  ],
});
