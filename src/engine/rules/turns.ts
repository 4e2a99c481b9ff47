/** Rows of messages, each with its run's columns, turned into the turns of a thread. Called by the drivers; pure. */
import type { ErrorCode } from "../../core/errors.ts";
import type { Message, UnsentReason } from "../../core/message.ts";
import type { Effects, ToolCall, Turn } from "../engine.ts";
import { repeats, unsentTurn, type Judged } from "../rules/unsent.ts";
import type { RunRow } from "./rows.ts";

/**
 * A position in a thread is one number: the run's number times this, plus the message's index in its run, which is
 * smaller.
 */
export const MESSAGES_A_RUN = 2 ** 20;

/** A message, with the columns of its run that decide how it goes to the model. */
export interface TurnRow extends Pick<RunRow, "id" | "agent_id" | "status" | "finish_reason" | "fence" | "steps"> {
  readonly run_n: number;
  /** The index of the message in its run. */
  readonly idx: number;
  readonly role: Message["role"];
  readonly content: string;
  readonly about: string | null;
  readonly at: number;
  readonly error_code: ErrorCode | null;
  readonly retried: 0 | 1;
  readonly superseded: 0 | 1;
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

/** The columns of a run that decide whether its turn goes to the model. */
export interface JudgedRow extends Pick<RunRow, "status" | "finish_reason" | "fence"> {
  readonly error_code: ErrorCode | null;
  readonly retried: 0 | 1;
  readonly superseded: 0 | 1;
}

/** The fields by which the turn before is judged, when a person may have sent its message again. */
export interface QuestionRow extends JudgedRow {
  readonly role: Message["role"];
  readonly content: string;
}

/**
 * A message as readers see it, as JSON. Its parts are stored as JSON, so they are joined without being parsed.
 * @param before returns the question of the run before, if that run failed; called only for the first message of a run
 */
export function toStoredJson(row: TurnRow, before: () => QuestionRow | undefined): string {
  const turn = judged(row);
  const isRepeated = () => row.idx === 0 && repeats(turn, judgedOf(before()));
  const why: UnsentReason | undefined = unsentTurn(turn) ?? (isRepeated() ? "repeated" : undefined);
  const about = row.about === null || row.about === "{}" ? "" : `${row.about.slice(1, -1)},`;
  const mark = why ? `,"sent":false,"why":"${why}"` : "";
  return `{"role":"${row.role}","content":${row.content},${about}"run_id":${JSON.stringify(row.id)},"at":${row.at}${mark}}`;
}

function judgedOf(question: QuestionRow | undefined): Judged | undefined {
  return question && judged(question);
}

/** Contents may stay JSON: the rule only compares them with each other. */
function judged({ role, content, ...row }: QuestionRow): Judged {
  return { ...turnOf(row), messages: [{ role, content }] };
}

export function turnOf({ status, finish_reason, error_code, fence, retried, superseded }: JudgedRow) {
  return {
    status,
    finishReason: finish_reason,
    errorCode: error_code,
    attempts: fence,
    ...(retried === 1 && { retried: true }),
    ...(superseded === 1 && { superseded: true }),
  };
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
    ...(run.superseded === 1 && { superseded: true }),
    messages: rows.map(toMessage),
    toolCalls: ledger.map(toToolCall),
  };
}

export function toMessage({ role, content, about }: Pick<TurnRow, "role" | "content" | "about">): Message {
  const message: Message = { role, content: JSON.parse(content) as Message["content"] };
  return about === null ? message : { ...message, ...(JSON.parse(about) as Partial<Message>) };
}
