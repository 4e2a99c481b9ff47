/** One activity: its time, its text, its agent, and a link to its run. */
import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Activity } from "../../../core/activity.ts";
import { jobToolOf } from "../../../core/job-id.ts";
import { now } from "../../store/clock.ts";
import { clockTime, shortId } from "../../ui/format.ts";
import { href } from "../../router.ts";
import { describeActivity } from "./describe.ts";

/** Times of earlier days have their date. */
const today = computed(() => new Date(now.value).toDateString());

/** An activity never changes, so its row is rendered once a day. */
export function ActivityRow({ activity }: { activity: Activity }) {
  return useMemo(() => <Cells activity={activity} />, [activity, today.value]);
}

function Cells({ activity }: { activity: Activity }) {
  const { tone, title, detail, about } = describeActivity(activity);
  const { at, agent_id: agentId, run_id: runId, thread_id: threadId } = activity;
  const isJob = agentId !== null && jobToolOf(agentId) !== undefined;
  return (
    <li class="feed-row">
      <time class="feed-time num" dateTime={new Date(at).toISOString()} title={new Date(at).toISOString()}>
        {clockTime(at)}
      </time>
      <span class="feed-what">
        <span class={`badge tone-${tone} feed-title`}>{title}</span>
        <span class="feed-detail">
          {about !== "" && (
            <span class="feed-about" dir="auto">
              {about}
            </span>
          )}
          {detail}
        </span>
      </span>
      <span class="feed-agent">{agentId}</span>
      <span class="feed-links">
        {runId && (
          <a class="mono" href={href("runs", runId)} title={runId}>
            {shortId(runId)}
          </a>
        )}
        {threadId && !isJob && (
          <a href={href("chat", threadId)} title={`Thread ${threadId}`}>
            chat
          </a>
        )}
      </span>
    </li>
  );
}
