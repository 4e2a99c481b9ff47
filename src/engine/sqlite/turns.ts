/** Rows of messages, each with its run's columns, turned into the turns of a thread. Called by `reads.ts`; pure. */
import type { ErrorCode } from "../../core/errors.ts";
import type { Message, StoredMessage, UnsentReason } from "../../core/message.ts";
import type { Effects, ToolCall, Turn } from "../engine.ts";
import { repeats, unsentTurn } from "../rules/unsent.ts";
import type { RunRow } from "./rows.ts";

/** The columns of a `TurnRow`, of messages `m` joined with their runs `r`. */
export const TURN =
  "m.run_n, m.role, m.content, m.about, m.at, r.id, r.agent_id, r.status, r.finish_reason, " +
  "r.error ->> 'code' AS error_code, r.fence, r.steps, EXISTS (SELECT 1 FROM runs a WHERE a.retry_of = r.id) AS retried";

/** A message, and what of its run decides how it goes to the model. */
export interface TurnRow extends Pick<RunRow, "id" | "agent_id" | "status" | "finish_reason" | "fence" | "steps"> {
  readonly run_n: number;
  readonly role: Message["role"];
  readonly content: string;
  readonly about: string | null;
  readonly at: number;
  readonly error_code: ErrorCode | null;
  readonly retried: 0 | 1;
}

export interface ToolCallRow {
  readonly run_n: number;
  readonly step: number;
  readonly id: string;
  readonly name: string;
  readonly effects: Effects;
  readonly result: string | null;
}

/** @param rows in the order of the thread */
export function toTurns(rows: readonly TurnRow[], ledger: readonly ToolCallRow[]): Turn[] {
  const calls = Map.groupBy(ledger, (call) => call.run_n);
  return [...Map.groupBy(rows, (row) => row.run_n)].map(([n, messages]) => toTurn(messages, calls.get(n) ?? []));
}

/** Every message as readers see it, marked when the model does not get to see it. */
export function toMessages(rows: readonly TurnRow[]): StoredMessage[] {
  let before: Turn | undefined;
  return [...Map.groupBy(rows, (row) => row.run_n).values()].flatMap((group) => {
    const turn = toTurn(group, []);
    const why = unsentTurn(turn);
    const isRepeated = repeats(turn, before);
    before = turn;
    return group.map((row, index) => stored(row, why ?? (isRepeated && index === 0 ? "repeated" : undefined)));
  });
}

export function toToolCall({ step, id, name, effects, result }: ToolCallRow): ToolCall {
  return {
    stepsBefore: step,
    toolCallId: id,
    name,
    effects,
    result: result === null ? null : (JSON.parse(result) as ToolCall["result"]),
  };
}

function toTurn(rows: readonly TurnRow[], ledger: readonly ToolCallRow[]): Turn {
  const [run] = rows as [TurnRow];
  return {
    runId: run.id,
    agentId: run.agent_id,
    status: run.status,
    finishReason: run.finish_reason,
    errorCode: run.error_code,
    attempts: run.fence,
    steps: run.steps,
    ...(run.retried === 1 && { retried: true }),
    messages: rows.map(toMessage),
    toolCalls: ledger.map(toToolCall),
  };
}

export function toMessage({ role, content, about }: Pick<TurnRow, "role" | "content" | "about">): Message {
  const message: Message = { role, content: JSON.parse(content) as Message["content"] };
  return about === null ? message : { ...message, ...(JSON.parse(about) as Partial<Message>) };
}

function stored(row: TurnRow, why: UnsentReason | undefined): StoredMessage {
  return { ...toMessage(row), run_id: row.id, at: row.at, ...(why && { sent: false, why }) };
}
