/**
 * The filter of the feed. It lives in the URL. The server filters pages by it, and this file filters live activities.
 */
import type { Activity } from "../../../core/activity.ts";

export interface FeedFilter {
  readonly agent: string;
  readonly thread: string;
  readonly type: string;
  /** Shows only activities older than this seq: a window into the past, which is not live. */
  readonly before: number | null;
}

export function readFilter(query: URLSearchParams): FeedFilter {
  const before = query.get("before") ?? "";
  return {
    agent: query.get("agent") ?? "",
    thread: query.get("thread") ?? "",
    type: query.get("type") ?? "",
    before: /^\d{1,15}$/.test(before) ? Number(before) : null,
  };
}

/** For the page's own URL. */
export function writeFilter({ agent, thread, type, before }: FeedFilter): Record<string, string> {
  const entries = Object.entries({ agent, thread, type, before: before === null ? "" : String(before) });
  return Object.fromEntries(entries.filter(([, value]) => value !== ""));
}

/** For `GET /api/activities`. */
export function toQuery(
  { agent, thread, type }: FeedFilter,
  { limit, before }: { limit: number; before: number | null },
): string {
  const query = new URLSearchParams({ limit: String(limit) });
  if (agent !== "") query.set("agent_id", agent);
  if (thread !== "") query.set("thread_id", thread);
  if (type !== "") query.set("type", type);
  if (before !== null) query.set("before", String(before));
  return query.toString();
}

export function fits(activity: Activity, { agent, thread, type }: FeedFilter): boolean {
  if (agent !== "" && activity.agent_id !== agent) return false;
  if (thread !== "" && activity.thread_id !== thread) return false;
  return type === "" || activity.type === type;
}
