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

/** Whether the turn begins with the message of the turn before, which failed: a person sent the message again. */
export function repeats(turn: Judged, before: Judged | undefined): boolean {
  if (before?.status !== "failed" || unsentTurn(before)) return false;
  const [again, first] = [turn.messages[0], before.messages[0]];
  return again !== undefined && first !== undefined && isSame(again, first);
}

function isSame(a: Message, b: Message): boolean {
  return a.role === "user" && b.role === "user" && JSON.stringify(a.content) === JSON.stringify(b.content);
}
