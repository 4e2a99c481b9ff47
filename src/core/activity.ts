/** Activities: the few events of each run that a person wants in a feed. Never a text delta. */
import type { Activity } from "../api/activities.ts";
import type { RunEvent } from "./event.ts";
import type { Run } from "./run.ts";

export const ACTIVITY_TYPES = [
  "run.queued",
  "run.started",
  "run.retried",
  "run.parked",
  "run.resumed",
  "run.completed",
  "run.failed",
  "run.canceled",
  "tool.called",
  "tool.finished",
  "thread.deleted",
  "notice",
] as const;
export type ActivityType = (typeof ACTIVITY_TYPES)[number];

export type { Activity };

export type NewActivity = Pick<Activity, "type" | "detail">;

/**
 * The activity that an event makes, if any. Tool calls make theirs when they are written into the ledger, and a run that
 * is parked makes its own when that is stored.
 */
export function activityOf(event: RunEvent): NewActivity | undefined {
  switch (event.type) {
    case "CUSTOM":
      return ofCustom(event.name, event.value as Record<string, unknown>);
    case "RUN_FINISHED":
      return { type: event.outcome?.type === "cancelled" ? "run.canceled" : "run.completed", detail: {} };
    case "RUN_ERROR":
      return { type: "run.failed", detail: { code: event.code, message: event.message } };
    default:
      return undefined;
  }
}

function ofCustom(name: string, value: Record<string, unknown>): NewActivity | undefined {
  if (name === "evenkeel.queued") return { type: "run.queued", detail: {} };
  if (name === "evenkeel.claimed") return { type: "run.started", detail: { attempt: value["attempt"] } };
  if (name === "evenkeel.attempt")
    return { type: "run.retried", detail: { attempt: value["attempt"], reason: value["reason"] } };
  return undefined;
}

/** The facts of the run that are shown with an activity: its title, and at its end its duration and usage. */
export function withRun(
  { type, detail }: NewActivity,
  run: Pick<Run, "title" | "created_at" | "usage">,
  at: number,
): NewActivity {
  const said = { ...detail, ...(run.title !== "" && { title: run.title }) };
  if (!ENDS.has(type)) return { type, detail: said };
  const { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens } = run.usage;
  const input = input_tokens + cache_read_input_tokens + cache_creation_input_tokens;
  // The clock may have been set back in the meantime.
  const duration_ms = Math.max(0, at - run.created_at);
  return {
    type,
    detail: { ...said, duration_ms, ...(input + output_tokens > 0 && { input_tokens: input, output_tokens }) },
  };
}

const ENDS: ReadonlySet<ActivityType> = new Set(["run.completed", "run.failed", "run.canceled"]);
