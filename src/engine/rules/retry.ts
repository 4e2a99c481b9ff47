/**
 * The rules for a retry: a new run that continues a failed or canceled run from its last checkpoint. Called by the
 * drivers.
 */
import { AppError } from "../../core/errors.ts";
import type { Message } from "../../core/message.ts";
import type { NewRun, RetryRequest } from "../../core/run.ts";
import { askedOf, type RunRow } from "./rows.ts";

type Retried = Pick<RunRow, "id" | "status" | "parent_id" | "superseded">;

/** @throws AppError NOT_RETRYABLE, which says what to do instead */
export function assertRetryable({ id, status, parent_id: parent, superseded }: Retried): void {
  if (parent !== null) {
    throw new AppError("NOT_RETRYABLE", `Run ${id} was delegated by run ${parent}; retry that one.`);
  }
  if (superseded === 1) {
    throw new AppError("NOT_RETRYABLE", `Run ${id} was superseded: a later run of its thread answers in its place.`);
  }
  if (status === "failed" || status === "canceled") return;
  const instead =
    status === "completed" ? "send the next message of its thread" : "wait for its end, or cancel it first";
  throw new AppError("NOT_RETRYABLE", `Run ${id} is ${status}, so there is nothing to retry; ${instead}.`);
}

/** The messages up to the last checkpoint, without an answer that broke off: the retry makes that answer anew. */
export function retriedMessages(messages: readonly Message[]): readonly Message[] {
  const end = messages.findLastIndex(({ cut }) => cut === undefined);
  return messages.slice(0, end + 1);
}

/** The request that would make a run like `old`. */
export function againOf(old: RunRow, { runId, queuedAtMost }: Omit<RetryRequest, "of">): NewRun {
  return {
    runId,
    ...(queuedAtMost !== undefined && { queuedAtMost }),
    runIdChosen: false,
    threadId: old.thread_id,
    agentId: old.agent_id,
    parentRunId: null,
    message: old.title,
    strategy: "enqueue",
    timeoutMs: old.timeout_ms,
    metadata: JSON.parse(old.metadata) as Record<string, unknown>,
    asked: askedOf(old),
    principal: old.principal,
    idempotencyKey: null,
    fingerprint: `retry of ${old.id}`,
    ephemeral: old.ephemeral === 1,
  };
}
