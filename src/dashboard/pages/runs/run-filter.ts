/** The filter of the list of runs. It lives in the URL, so that a list can be linked, and the server applies it. */
import type { Activity } from "../../../core/activity.ts";
import { shownStatus, SHOWN_STATUSES, whichRuns, type Run, type ShownStatus } from "../../../core/run.ts";

/** Running or parked: what the overview counts as runs in flight. */
export const IN_FLIGHT = "in flight";
export const STATUS_CHOICES: readonly string[] = [IN_FLIGHT, ...SHOWN_STATUSES];

export interface RunFilter {
  /** A word of STATUS_CHOICES; empty: any status. */
  readonly status: string;
  readonly agent: string;
  readonly thread: string;
  /** True: the list also shows delegated runs. */
  readonly delegated: boolean;
  /** Shows only runs older than this cursor: a window into the past, to which no new run comes. */
  readonly before: number | null;
}

export function readFilter(query: URLSearchParams): RunFilter {
  const before = query.get("before") ?? "";
  return {
    status: query.get("status") ?? "",
    agent: query.get("agent") ?? "",
    thread: query.get("thread") ?? "",
    delegated: query.get("delegated") === "true",
    before: /^\d{1,15}$/.test(before) ? Number(before) : null,
  };
}

/** For the page's own URL. */
export function writeFilter({ status, agent, thread, delegated, before }: RunFilter): Record<string, string> {
  const entries = { status, agent, thread, delegated: delegated ? "true" : "", before: String(before ?? "") };
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== ""));
}

export function isFiltered(filter: RunFilter): boolean {
  const { delegated: _, ...rest } = writeFilter(filter);
  return Object.keys(rest).length > 0;
}

/** For `GET /api/runs`. @param page `before` undefined for the newest */
export function toQuery(
  { status, agent, thread, delegated }: RunFilter,
  page: { readonly limit: number; readonly before?: number | undefined },
): string {
  const query = new URLSearchParams({ limit: String(page.limit) });
  if (page.before !== undefined) query.set("before", String(page.before));
  for (const [name, value] of Object.entries(statusQuery(status))) query.set(name, String(value));
  if (agent !== "") query.set("agent_id", agent);
  if (thread !== "") query.set("thread_id", thread);
  // A thread has few runs, and a link may ask for a delegated run, so show all of them.
  if (!delegated && thread === "") query.set("top_level", "true");
  return query.toString();
}

/** A status that the page does not know goes to the server, which says what is wrong with it. */
function statusQuery(status: string): object {
  if (status === "") return {};
  return status === IN_FLIGHT ? { status: "running" } : whichRuns(status as ShownStatus);
}

/** Whether the run has the status that the filter asks for. */
export function hasStatus({ status }: RunFilter, run: Run): boolean {
  if (status === IN_FLIGHT) return run.status === "running";
  return status === "" || status === shownStatus(run);
}

/** Whether an activity may be about a run that the filter lets through. */
export function mayConcern({ agent, thread }: RunFilter, activity: Activity): boolean {
  if (agent !== "" && activity.agent_id && activity.agent_id !== agent) return false;
  return thread === "" || !activity.thread_id || activity.thread_id === thread;
}

/** Applies what an activity says about a run to its row, so that the row is right before the run is fetched. */
export function withNews({ waiting, ...run }: Run, { type, at, detail }: Activity): Run {
  switch (type) {
    case "run.parked":
      return { ...run, waiting: waitOf(detail) };
    case "run.resumed":
      return run;
    case "run.started":
      return { ...run, status: "running", started_at: run.started_at ?? at };
    case "run.completed":
      return { ...run, status: "completed", finished_at: at };
    case "run.canceled":
      return { ...run, status: "canceled", finished_at: at };
    case "run.failed":
      return { ...run, status: "failed", finished_at: at, error: errorOf(detail) ?? run.error };
    default:
      return { ...run, ...(waiting && { waiting }) };
  }
}

function waitOf({ reason, until }: Activity["detail"]): NonNullable<Run["waiting"]> {
  return { reason: typeof reason === "string" ? reason : "", until: typeof until === "number" ? until : null };
}

function errorOf({ code, message }: Activity["detail"]): Run["error"] | undefined {
  if (typeof code !== "string") return undefined;
  return { code, detail: typeof message === "string" ? message : "" } as Run["error"];
}
