/** Runs an agent for a client of AG-UI: its last message is a run in the thread that it names. */
import { RUN_AGENT, type RunAgentInput } from "../../api/ag-ui.ts";
import { invalid } from "../../api/check.ts";
import type { Message } from "../../core/message.ts";
import { AgUiStream } from "../../protocols/ag-ui-stream.ts";
import type { AppRouter } from "../app.ts";
import { newRunOf } from "../chat-request.ts";
import type { OwnEngine } from "../own-engine.ts";
import { streamRun } from "../follow-run.ts";
import { serve, TAKEN } from "../serve.ts";

export function agUiRoutes(router: AppRouter): void {
  serve(router, RUN_AGENT, async ({ params, body, headers }, ctx, deps) => {
    const { engine, agents } = deps;
    const { threadId, runId, messages } = body;
    const message = newestOf(body);
    const chat = { agent_id: params.agent_id, message, thread_id: threadId, run_id: runId };
    const principal = ctx.state.principal.id;
    const asked = newRunOf(chat, { agents, principal, idempotencyKey: null, given: chat });
    const { run } = await engine.enqueue({ ...asked, before: await saidBefore(body, engine) });
    ctx.respond = false;
    const encoder = new AgUiStream({ messages, after: headers["last-event-id"] ?? 0 });
    streamRun(deps, { response: ctx.res, run, after: 0, encoder });
    return TAKEN;
  });
}

/** @throws AppError INVALID_REQUEST */
function newestOf({ messages }: RunAgentInput): string {
  const newest = messages.at(-1);
  const text = textOf(newest?.content);
  if (newest?.role === "user" && text !== "") return text;
  throw invalid("messages", "a list that ends with a message of the role `user`, with text", newest);
}

/** A thread that is new here may be an old one of the client's. */
async function saidBefore({ threadId, messages }: RunAgentInput, engine: OwnEngine): Promise<Message[]> {
  const known = await engine.runs({ threadId, limit: 1 });
  if (known.items.length > 0) return [];
  return messages.slice(0, -1).flatMap(({ role, content }): Message[] => {
    const text = textOf(content);
    return (role === "user" || role === "assistant") && text !== "" ? [{ role, content: text }] : [];
  });
}

/** Text, or the text parts of a list of parts. */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .flatMap((part: { readonly text?: unknown } | null) => (typeof part?.text === "string" ? [part.text] : []))
    .join("\n");
}
