/** Turns a chat request that the contract accepts, over HTTP or a socket, into a `NewRun`. */
import { createHash } from "node:crypto";
import type { Chat } from "../api/chat.ts";
import { CHARACTERS_A_TOKEN, contextTokens, tooLarge, type Agent } from "../core/agent.ts";
import { ACCEPTABLE, problemOfSchema, type Asked } from "../core/asked.ts";
import { AppError } from "../core/errors.ts";
import { newId } from "../core/id.ts";
import type { NewRun } from "../core/run.ts";
import type { Files } from "../engine/files.ts";
import { saidBy } from "./message-parts.ts";

interface ChatOptions {
  readonly agents: ReadonlyMap<string, Agent>;
  readonly principal: string;
  readonly idempotencyKey: string | null;
  /** The request as it came, without defaults. */
  readonly given: object;
  /** The files of the principal. */
  readonly files: Files;
  /** The client does not wait for the reply. */
  readonly isBackground?: boolean;
}

/** @throws AppError AGENT_NOT_FOUND, CONTEXT_TOO_LARGE, and what `saidBy` throws */
export async function newRunOf(chat: Chat, options: ChatOptions): Promise<NewRun> {
  const { agents, principal, idempotencyKey, given, files, isBackground } = options;
  const agent = agents.get(chat.agent_id);
  if (!agent) throw unknownAgent("agent", chat.agent_id, agents);
  const said = await saidBy(chat.message, { files, principal });
  assertFits(said.message, agent);
  const asked = { ...askedBy(chat, agent), ...(isBackground && { background: true as const }) };
  return {
    runId: chat.run_id ?? newId("run"),
    runIdChosen: typeof chat.run_id === "string",
    threadId: chat.thread_id ?? newId("thread"),
    agentId: chat.agent_id,
    parentRunId: null,
    ...said,
    ...(Object.keys(asked).length > 0 && { asked }),
    ...(typeof chat.supersedes === "string" && { supersedes: { runId: chat.supersedes } }),
    strategy: chat.multitask_strategy ?? "enqueue",
    timeoutMs: chat.timeout_ms ?? null,
    queueTimeoutMs: chat.queue_timeout_ms ?? null,
    metadata: chat.metadata ?? {},
    principal,
    idempotencyKey,
    fingerprint: fingerprintOf(principal, given),
  };
}

/**
 * The wishes of a request beyond its message. Undefined when it has none.
 * @param schemaField the client's name of the schema, for refusals
 * @throws AppError INVALID_REQUEST
 */
export function askedBy(
  chat: Pick<Chat, (typeof ACCEPTABLE)[number]>,
  { agentId, accepts }: Agent,
  schemaField = "response_format.schema",
): Asked | undefined {
  const names = ACCEPTABLE.filter((name) => chat[name] !== undefined && chat[name] !== null);
  const stranger = names.find((name) => !accepts.includes(name));
  if (stranger !== undefined) {
    const detail = `Agent ${agentId} takes no \`${stranger}\` with a message: leave it out, or name it in \`accepts\` of config/agents.ts.`;
    throw new AppError("INVALID_REQUEST", detail);
  }
  const problem = chat.response_format && problemOfSchema(chat.response_format.schema);
  if (problem) throw new AppError("INVALID_REQUEST", `Expected \`${schemaField}\` to be ${problem}.`);
  return names.length > 0 ? Object.fromEntries(names.map((name) => [name, chat[name]])) : undefined;
}

/** A message that fits into no request to the model is refused at once, and makes no run. */
function assertFits(message: string, agent: Agent): void {
  const size = Math.ceil(
    (message.length + (typeof agent.system === "string" ? agent.system.length : 0)) / CHARACTERS_A_TOKEN,
  );
  const budget = contextTokens(agent);
  if (size > budget) throw tooLarge(agent, { size, budget });
}

/** @param kind what the client calls an agent */
export function unknownAgent(kind: "agent" | "model", agentId: string, agents: ReadonlyMap<string, Agent>): AppError {
  const known = [...agents.keys()].map((id) => `"${id}"`).join(", ");
  const shown = JSON.stringify(agentId.slice(0, 100));
  return new AppError("AGENT_NOT_FOUND", `There is no ${kind} ${shown}; use one of ${known}.`);
}

/** Identical for the same request of the same principal, whatever the order of its top-level fields. */
export function fingerprintOf(principal: string, given: object): string {
  const fields = Object.entries(given).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256")
    .update(JSON.stringify([principal, fields]))
    .digest("base64url");
}
