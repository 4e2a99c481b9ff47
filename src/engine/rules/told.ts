/**
 * What the engine itself tells readers: the events that it appends to a run, and the activities for the tool ledger.
 */
import type { NewActivity } from "../../core/activity.ts";
import { customEvent, type RunEvent } from "../../core/event.ts";
import type { Owner, Run } from "../../core/run.ts";
import type { Follower, RunListener, Step, ToolCall } from "../engine.ts";
import type { OwnerEnd } from "./blame.ts";

/** Why a run has a new owner, for its readers. */
export const END_REASONS: Readonly<Record<OwnerEnd, string>> = {
  crashed: "its process died",
  stopped: "its process was stopped",
  gone: "its process is gone",
};

export const LEASE_RAN_OUT = "its lease ran out";

/** A new run's first events. @param ahead how many runs wait before it */
export function queuedEvents(run: Pick<Run, "run_id" | "thread_id" | "agent_id">, ahead: number): RunEvent[] {
  return [
    { type: "RUN_STARTED", threadId: run.thread_id, runId: run.run_id },
    customEvent("evenkeel.queued", { agent_id: run.agent_id, ahead }),
  ];
}

export function claimedEvent({ process, machine }: Owner, attempt: number): RunEvent {
  return customEvent("evenkeel.claimed", { owner: process, machine, attempt });
}

/**
 * Comes after the events that close what the last owner left open. @param voided ids of what the owner showed in vain
 */
export function handedBackEvent(run: Pick<Run, "attempts">, reason: string, voided: string[]): RunEvent {
  return customEvent("evenkeel.attempt", { of: "run", attempt: run.attempts + 1, reason, void: voided });
}

/** The activity of a step with which a run is parked, or goes on. @param before a row's `waiting` before the step */
export function parkedActivity(before: string | null, { waiting }: Pick<Step, "waiting">): NewActivity[] {
  if (waiting === undefined || (waiting === null) === (before === null)) return [];
  return [waiting === null ? { type: "run.resumed", detail: {} } : { type: "run.parked", detail: { ...waiting } }];
}

export function ledgerActivity({ name, toolCallId, result }: ToolCall): NewActivity {
  const detail = { tool: name, tool_call_id: toolCallId, ...(result && { is_error: result.isError }) };
  return { type: result ? "tool.finished" : "tool.called", detail };
}

/** Tells of a run that does not exist. `onDeleted` is called later, so that the caller has its follower first. */
export function tellDeleted({ onDeleted }: RunListener): Follower {
  const telling = setImmediate(() => onDeleted?.());
  return { stop: () => clearImmediate(telling) };
}
