/** What a retry is made of: a run that failed or was canceled, gone on with from its last checkpoint. Called by the drivers. */
import { AppError } from "../../core/errors.ts";
import type { Message } from "../../core/message.ts";
import type { NewRun, Run } from "../../core/run.ts";
import { askedOf, type RunRow } from "./rows.ts";

type Retried = Pick<Run, "run_id" | "status" | "parent_run_id">;

/** @throws AppError NOT_RETRYABLE that says what to do instead */
export function assertRetryable({ run_id: id, status, parent_run_id: parent }: Retried): void {
  if (parent !== null) {
    throw new AppError("NOT_RETRYABLE", `Run ${id} was delegated by run ${parent}; retry that one.`);
  }
  if (status === "failed" || status === "canceled") return;
  const instead =
    status === "completed" ? "send the next message of its thread" : "wait for its end, or cancel it first";
  throw new AppError("NOT_RETRYABLE", `Run ${id} is ${status}, so there is nothing to retry; ${instead}.`);
}

/** The messages up to the last checkpoint: without an answer that broke off, which the retry makes anew. */
export function retriedMessages(messages: readonly Message[]): readonly Message[] {
  const end = messages.findLastIndex(({ cut }) => cut === undefined);
  return messages.slice(0, end + 1);
}

/** The request that would make a run like `old`. */
export function againOf(old: RunRow, runId: string): NewRun {
  return {
    runId,
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
