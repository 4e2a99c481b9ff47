/** `POST /api/agui/{agent_id}`: the request of AG-UI's clients (https://docs.ag-ui.com/concepts/agents, RunAgentInput). */
import { z } from "zod";
import { chosenId, position } from "./fields.ts";
import { events, route } from "./route.ts";

const MESSAGE = z.looseObject({ id: z.string(), role: z.string(), content: z.unknown() }).meta({ id: "AgUiMessage" });

const RUN_AGENT_INPUT = z
  .looseObject({
    threadId: chosenId(),
    runId: chosenId().describe("Sent again, it returns the run that is there and starts none."),
    messages: z.array(MESSAGE).min(1).describe("The last one is the user's, and new."),
  })
  .meta({ id: "RunAgentInput" });

export type RunAgentInput = Readonly<z.output<typeof RUN_AGENT_INPUT>>;

export const RUN_AGENT = route({
  method: "POST",
  path: "/api/agui/{agent_id}",
  access: "client",
  summary: "Run an agent for a client of AG-UI",
  description: "The thread is kept here under the client's `threadId`. Tools that the client offers are not called.",
  query: z.strictObject({}),
  headers: z.object({
    "last-event-id": position().optional().describe("With a `runId` that is there: begin after this `seq`."),
  }),
  body: RUN_AGENT_INPUT,
  answers: { 200: events("The run's events until its last, as AG-UI's verifier wants them.") },
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
