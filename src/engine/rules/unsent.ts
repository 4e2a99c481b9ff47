/**
 * Which messages of a thread are not sent to the model again. Readers still see all of them: the API marks the unsent
 * messages, and `agent/history/` leaves them out. Pure; one rule for both.
 */
import type { Message, UnsentReason } from "../../core/message.ts";
import type { Turn } from "../engine.ts";

/** The fields of a turn that decide. */
export type Judged = Pick<
  Turn,
  "status" | "finishReason" | "errorCode" | "attempts" | "retried" | "superseded" | "messages"
>;

/**
 * Why a whole turn is not sent: the model would refuse the thread for ever, or act on a message that was taken back.
 */
export function unsentTurn(turn: Omit<Judged, "messages">): UnsentReason | undefined {
  const { status, finishReason, errorCode, attempts, retried, superseded } = turn;
  if (superseded) return "superseded";
  if (retried) return "retried";
  if (status === "canceled" && attempts === 0) return "withdrawn";
  if (finishReason === "refusal") return "refused";
  if (errorCode === "MODEL_REJECTED") return "rejected";
  return errorCode === "CONTEXT_TOO_LARGE" ? "too_large" : undefined;
}

/**
 * Whether the turn begins with the question of the turn before, which failed: a person sent the message again. A
 * conversation that was kept elsewhere may stand before that question, and its messages may be said again.
 */
export function repeats(turn: Judged, before: Judged | undefined): boolean {
  if (before?.status !== "failed" || unsentTurn(before)) return false;
  const [again, question] = [turn.messages[0], before.messages[questionAt(before.messages)]];
  return again !== undefined && question !== undefined && isSame(again, question);
}

/**
 * The index of a run's own question among its messages: the last one without a mark, before the first one with a mark.
 * What stands before it was said elsewhere. Each answer of a model has a mark. -1: there is no question.
 */
export function questionAt(messages: readonly Message[]): number {
  const marked = messages.findIndex(({ role: _role, content: _content, ...marks }) => Object.keys(marks).length > 0);
  return (marked === -1 ? messages.length : marked) - 1;
}

/** The same as SQL. @param n the number of the run */
export function questionIdx(n: string): string {
  const firstMarked = `SELECT min(idx) FROM messages WHERE run_n = ${n} AND about <> '{}'`;
  return `(coalesce((${firstMarked}), (SELECT count(*) FROM messages WHERE run_n = ${n})) - 1)`;
}

function isSame(a: Message, b: Message): boolean {
  return a.role === "user" && b.role === "user" && JSON.stringify(a.content) === JSON.stringify(b.content);
}
