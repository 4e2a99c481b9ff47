/** What OpenAI's routes share: the agent that `model` names, the run that a request makes, and the journal of a run. */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { Agent } from "../../core/agent.ts";
import type { Asked } from "../../core/asked.ts";
import { AppError } from "../../core/errors.ts";
import { newId } from "../../core/id.ts";
import type { Message } from "../../core/message.ts";
import type { NewRun } from "../../core/run.ts";
import type { Files } from "../../engine/files.ts";
import { saidBy, type Sender } from "../message-parts.ts";
import type { OwnEngine } from "../own-engine.ts";
import type { StoredEvent } from "../../protocols/encoder.ts";
import type { Conversation } from "./conversation.ts";

/** Rows of one read: the journal of a run of minutes has some thousands. */
const PAGE = { limit: 1_000, characters: 1024 * 1024 };

/** @throws AppError AGENT_NOT_FOUND */
export function agentOf(model: string, agents: ReadonlyMap<string, Agent>): Agent {
  const agent = agents.get(model);
  if (agent) return agent;
  const known = [...agents.keys()].map((id) => `"${id}"`).join(", ");
  throw new AppError(
    "AGENT_NOT_FOUND",
    `There is no model ${JSON.stringify(model.slice(0, 100))}; use one of ${known}.`,
  );
}

export interface AskedRun extends Conversation {
  readonly agentId: string;
  readonly principal: string;
  /** Undefined: the run gets a thread of its own. */
  readonly threadId: string | undefined;
  /** True when the client keeps the conversation, so that nothing stays here. */
  readonly ephemeral: boolean;
  readonly metadata: Record<string, unknown>;
  /** What the request asks beyond its message. */
  readonly special?: Asked | undefined;
  /** The client does not wait for the answer. */
  readonly isBackground?: boolean;
}

/** Pictures become files of the principal. @throws AppError INVALID_REQUEST, FILES_FULL */
export async function newRunOf(
  { threadId, before, message, isBackground, special, ...asked }: AskedRun,
  files: Files,
): Promise<NewRun> {
  const sender = { files, principal: asked.principal };
  return {
    ...asked,
    ...(await saidBy(message, sender)),
    runId: newId("run"),
    runIdChosen: false,
    threadId: threadId ?? newId("thread"),
    parentRunId: null,
    // A thread that is kept here has the earlier messages already.
    before: threadId === undefined ? await storedMessages(before, sender) : [],
    ...((special || isBackground) && { asked: { ...special, ...(isBackground && { background: true }) } }),
    strategy: "enqueue",
    timeoutMs: null,
    idempotencyKey: null,
    fingerprint: createHash("sha256").update(JSON.stringify(message)).digest("base64url"),
  };
}

async function storedMessages(before: Conversation["before"], sender: Sender): Promise<Message[]> {
  const messages: Message[] = [];
  for (const { role, said } of before) {
    const { message, content = message } = await saidBy(said, sender);
    messages.push({ role, content });
  }
  return messages;
}

/** All events of a run so far, in order. Keeps one page of them: a journal may have 100,000 events. */
export async function* readJournal(engine: OwnEngine, runId: string): AsyncGenerator<StoredEvent> {
  for await (const page of journalPages(engine, runId)) for (const { event } of page) yield event;
}

export interface ReadEvent {
  readonly event: StoredEvent;
  /** The lengths of the deltas that it was joined from. */
  readonly lengths: readonly number[] | undefined;
}

/** All events of a run so far, in order. One page a tick of the event loop: a journal may have 100,000 events. */
export async function* journalPages(engine: OwnEngine, runId: string): AsyncGenerator<ReadEvent[]> {
  for (let after = 0; ;) {
    await setImmediate();
    const rows = await engine.events(runId, after, PAGE);
    const last = rows.at(-1);
    if (!last) return;
    yield rows.map(({ data, lengths }) => ({ event: JSON.parse(data) as StoredEvent, lengths }));
    after = last.seq;
  }
}
