/** Runs an agent for a client of AG-UI: the last message becomes a run in the thread that the request names. */
import { RUN_AGENT, type RunAgentInput } from "../../api/ag-ui.ts";
import type { Chat } from "../../api/chat.ts";
import { invalid } from "../../api/check.ts";
import type { Part } from "../../api/parts.ts";
import type { Agent } from "../../core/agent.ts";
import { MAX_ASKED_CHARACTERS } from "../../core/limits.ts";
import { AgUiStream } from "../../protocols/ag-ui-stream.ts";
import { cancelLater } from "../cancel-later.ts";
import type { AppRouter } from "../context.ts";
import { newRunOf } from "../chat-request.ts";
import { partOfUrl } from "../foreign-parts.ts";
import { streamRun } from "../follow-run.ts";
import { resumeAt } from "../position.ts";
import { saidBefore } from "../said-elsewhere.ts";
import { serve, TAKEN } from "../serve.ts";

export function agUiRoutes(router: AppRouter): void {
  serve(router, RUN_AGENT, async ({ params, query, body, headers }, ctx, deps) => {
    const { engine, agents } = deps;
    const { threadId, runId, messages } = body;
    // Kept for as long as the stream is open.
    const known = Buffer.from(JSON.stringify(messages));
    deps.keptMemory.keep(known.length, ctx.state.principal, ctx.res);
    const message = newestOf(body);
    const chat = { agent_id: params.agent_id, message, thread_id: threadId, run_id: runId };
    const principal = ctx.state.principal.id;
    const options = { agents, principal, idempotencyKey: null, given: chat, files: engine.files };
    const asked = await newRunOf({ ...chat, ...contextFor(agents.get(params.agent_id), body) }, options);
    // The agent itself gets only the results of what it delegated, not the words of the delegated runs.
    const own = messages.slice(0, -1).filter(({ subagentRunId }) => subagentRunId === undefined);
    const earlier = own.map(({ role, content }) => ({ role, text: textOf(content) }));
    const started = await engine.enqueue({ ...asked, before: saidBefore(earlier) });
    const { run } = started;
    const after = await resumeAt(engine, started, headers["last-event-id"]);
    const encoder = new AgUiStream({ messages: known, after });
    ctx.respond = false;
    // Nothing is before: the encoder reads both the run and the runs that it delegated from their beginnings.
    const before = query.subagents && { before: [] };
    const onAbandon = query.on_disconnect === "cancel" ? () => cancelLater(run, deps) : () => {};
    streamRun(deps, { response: ctx.res, run, after: 0, encoder, onAbandon, ...before });
    return TAKEN;
  });
}

/** The facts that the client's page tells of itself, for agents that take such facts. @throws AppError INVALID_REQUEST */
function contextFor(agent: Agent | undefined, { context = [] }: RunAgentInput): Pick<Chat, "extra_context"> {
  if (context.length === 0 || !agent?.accepts.includes("extra_context")) return {};
  const facts = context.map(({ description, value }) => `${description}: ${value}`).join("\n");
  if (facts.length <= MAX_ASKED_CHARACTERS) return { extra_context: facts };
  throw invalid("context", `at most ${MAX_ASKED_CHARACTERS} characters long`, facts);
}

/** @throws AppError INVALID_REQUEST */
function newestOf({ messages }: RunAgentInput): Chat["message"] {
  const newest = messages.at(-1);
  const parts = newest?.role === "user" ? partsOf(newest.content) : [];
  if (parts.length > 0) return parts.every(({ type }) => type === "text") ? textOf(newest?.content) : parts;
  throw invalid("messages", "a list that ends with a message of the role `user` that says something", newest);
}

interface Given {
  readonly type?: unknown;
  readonly text?: unknown;
  readonly source?: { readonly type?: unknown; readonly value?: unknown; readonly mimeType?: unknown };
}

/** The media types of parts that state none. Models read neither audio nor video. */
const USUAL_TYPES: ReadonlyMap<unknown, string> = new Map([
  ["image", "image/*"],
  ["document", "application/pdf"],
]);

/** https://docs.ag-ui.com/concepts/messages: text, or parts whose source is a URL or base64. */
function partsOf(content: unknown): Part[] {
  const given = typeof content === "string" ? [{ type: "text", text: content }] : content;
  if (!Array.isArray(given)) return [];
  return given.flatMap((part: Given | null, index): Part[] => {
    const { type, text, source } = part ?? {};
    if (type === "text") return typeof text === "string" && /\S/.test(text) ? [{ type, text }] : [];
    const at = `messages.content[${index}]`;
    const usual = USUAL_TYPES.get(type);
    if (usual === undefined) throw invalid(at, "a part of the type `text`, `image` or `document`", type);
    const { type: kind, value, mimeType = usual } = source ?? {};
    const isData = kind === "data" && typeof mimeType === "string" && typeof value === "string";
    const url = isData ? `data:${mimeType};base64,${value}` : value;
    return [partOfUrl(at, url, mimeType)];
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
