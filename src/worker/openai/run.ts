/** What OpenAI's routes share: the agent that `model` names, the run that a request makes, and the journal of a run. */
import type { Agent } from "../../core/agent.ts";
import type { Asked } from "../../core/asked.ts";
import { newId } from "../../core/id.ts";
import type { Message } from "../../core/message.ts";
import type { NewRun, Run } from "../../core/run.ts";
import type { Files } from "../../engine/files.ts";
import type { OwnDeps } from "../context.ts";
import { fingerprintOf, unknownAgent } from "../chat-request.ts";
import { journalPieces } from "../history-pieces.ts";
import { saidBy, type Sender } from "../message-parts.ts";
import type { Context } from "../serve.ts";
import type { StoredEvent } from "../../protocols/encoder.ts";
import type { Conversation } from "./conversation.ts";

/** @throws AppError AGENT_NOT_FOUND */
export function agentOf(model: string, agents: ReadonlyMap<string, Agent>): Agent {
  const agent = agents.get(model);
  if (agent) return agent;
  throw unknownAgent("model", model, agents);
}

export interface AskedRun extends Conversation {
  /** What stands before the conversation of the request. Default: nothing. */
  readonly earlier?: readonly Message[];
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
  readonly idempotencyKey: string | undefined;
  /** The body as it came. */
  readonly given: object;
}

/** The run of a request, or of the first request that this one repeats. */
export async function begin(asked: AskedRun, ctx: Context, { engine }: OwnDeps): Promise<Run> {
  const { run, created } = await engine.enqueue(await newRunOf(asked, engine.files));
  if (!created) ctx.set("Idempotent-Replayed", "true");
  return run;
}

/** Pictures become files of the principal. @throws AppError INVALID_REQUEST, FILES_FULL */
async function newRunOf(
  { threadId, earlier = [], before, message, isBackground, special, idempotencyKey, given, ...asked }: AskedRun,
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
    before: [...earlier, ...(await storedMessages(before, sender))],
    ...((special || isBackground) && { asked: { ...special, ...(isBackground && { background: true }) } }),
    strategy: "enqueue",
    timeoutMs: null,
    idempotencyKey: idempotencyKey ?? null,
    fingerprint: fingerprintOf(asked.principal, given),
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

/** All events of a run so far, in order. Keeps one piece of them. */
export async function* readJournal(deps: OwnDeps, runId: string): AsyncGenerator<StoredEvent> {
  for await (const piece of readPieces(deps, runId)) for (const { event } of piece) yield event;
}

export interface ReadEvent {
  readonly event: StoredEvent;
  /** The lengths of the deltas that it was joined from. */
  readonly lengths: readonly number[] | undefined;
}

/** All events of a run so far, in order. */
export async function* readPieces({ engine, delivery }: OwnDeps, runId: string): AsyncGenerator<ReadEvent[]> {
  for await (const piece of journalPieces({ engine, pieceQueue: delivery.pieceQueue }, runId))
    yield piece.map(({ data, lengths }) => ({ event: JSON.parse(data) as StoredEvent, lengths }));
}
