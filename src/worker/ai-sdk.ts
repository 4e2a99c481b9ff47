/** Translates a request of the AI SDK's `useChat` into our own. Called by `routes/chat.ts`. */
import type { UiChat, UiMessage } from "../api/ai-sdk.ts";
import type { Chat } from "../api/chat.ts";
import { invalid } from "../api/check.ts";
import type { Part } from "../api/parts.ts";
import type { Agent } from "../core/agent.ts";
import type { Superseded } from "../core/run.ts";
import { LASTING_KEY } from "../engine/rules/enqueue.ts";
import { runOfQuestion } from "../protocols/ai-sdk-messages.ts";
import { partOfUrl } from "./foreign-parts.ts";
import type { SaidElsewhere } from "./said-elsewhere.ts";

/**
 * @param agent from `?agent=`, for a client that cannot add `agent_id` to the body. @throws AppError INVALID_REQUEST
 */
export function chatOf(ui: UiChat, agent: string | undefined, agents: ReadonlyMap<string, Agent>): Chat {
  const { id, messages: _messages, message: _message, trigger: _trigger, messageId: _id, agent_id: own, ...ours } = ui;
  const agentId = own ?? agent ?? [...agents.keys()][0] ?? "";
  return { ...ours, agent_id: agentId, thread_id: id, message: messageOf(newestOf(ui)) };
}

/**
 * A fetch that is repeated after a lost connection sends the same message with the same id, and must make one run only.
 * A message that is edited or answered anew keeps its id but must make another run: null.
 */
export function idempotencyKeyOf(ui: UiChat): string | null {
  return isNewTurn(ui) ? keyOf(ui) : null;
}

/**
 * The turn that a message replaces: `regenerate` asks for another answer, and `sendMessage` with a `messageId` edits a
 * message. The client has dropped all later messages. A message that another client sent has no key of ours.
 */
export function supersededBy(ui: UiChat): Superseded | undefined {
  if (isNewTurn(ui)) return undefined;
  const { id = "" } = newestOf(ui);
  const orNewest = ui.trigger === "regenerate-message";
  // A message that came from here, by `GET /api/chat/{id}/messages`. Its thread may have been removed since.
  const runId = runOfQuestion(id);
  return runId === undefined ? { key: keyOf(ui) ?? "", orNewest } : { runId, orNewest };
}

function isNewTurn({ trigger, messageId }: UiChat): boolean {
  return trigger === "submit-message" && (messageId === undefined || messageId === null);
}

function keyOf(ui: UiChat): string | null {
  const { id } = newestOf(ui);
  return id !== undefined && /^[\x21-\x7e]{1,100}$/.test(id) ? `${LASTING_KEY}${ui.id}:${id}` : null;
}

function newestOf({ message, messages }: UiChat): UiMessage {
  const newest = message ?? messages?.at(-1);
  if (newest?.role === "user") return newest;
  throw invalid("messages", "a list whose last message has the role `user`", newest?.role);
}

/** The messages before the newest one, as far as they are text. */
export function earlierIn({ messages = [] }: UiChat): SaidElsewhere[] {
  return messages.slice(0, -1).map(({ role, parts }) => {
    const texts = parts.flatMap(({ type, text }) => (type === "text" && typeof text === "string" ? [text] : []));
    return { role, text: texts.join("\n") };
  });
}

/**
 * `useChat` adds an empty text to a message of files alone, and its own conversion leaves out `data-` parts, which are
 * for the page.
 */
function messageOf({ parts }: UiMessage): Chat["message"] {
  const given = parts.flatMap(({ type, text, url, mediaType }, index): Part[] => {
    if (type.startsWith("data-") || (type === "text" && typeof text === "string" && !/\S/.test(text))) return [];
    if (type === "text" && typeof text === "string") return [{ type: "text", text }];
    if (type === "file") return [partOfUrl(`parts[${index}].url`, url, mediaType ?? null)];
    throw invalid(`parts[${index}]`, "a part of type `text` or `file`", { type, text });
  });
  if (given.length === 0) throw invalid("parts", "a list with a text that is not empty, or a file", parts);
  // A message of text parts alone is stored as text, because threads show it as text.
  if (given.some(({ type }) => type !== "text")) return given;
  return given.map((part) => (part.type === "text" ? part.text : "")).join("\n");
}
