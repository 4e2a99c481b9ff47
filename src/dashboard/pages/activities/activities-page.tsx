/** The live feed of what happens on the server. It never moves rows that a person reads: new rows wait for a click. */
import "./activities.css";
import { useState } from "preact/hooks";
import { ACTIVITY_TYPES } from "../../../core/activity.ts";
import { services } from "../../live/services.ts";
import { useStarted } from "../../live/use-started.ts";
import { href, navigate } from "../../router.ts";
import { Select } from "../../ui/select.tsx";
import { recall } from "../../store/places.ts";
import { HeldPill } from "../../ui/held-pill.tsx";
import { useHold } from "../../ui/use-hold.ts";
import { Button } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { Loading } from "../../ui/loading.tsx";
import { Older } from "../../ui/older.tsx";
import { ActivityRow } from "./activity-row.tsx";
import { ActivityFeed, MAX_ROWS } from "./feed.ts";
import { readFilter, writeFilter, type FeedFilter } from "./filter.ts";
import { FilterBar } from "../../ui/filter-bar.tsx";
import type { PageProps } from "../addresses.ts";

export function ActivitiesPage({ query = new URLSearchParams() }: Partial<PageProps>) {
  const search = query.toString();
  const feed = useStarted(() => recall(() => new ActivityFeed(services, readFilter(query))), [search]);
  const [isPaused, setPaused] = useState(false);
  const { top, area } = useHold(feed, isPaused);
  const change = (part: Partial<FeedFilter>) => go({ ...feed.filter, before: null, ...part });
  const error = feed.watch.error.value ?? feed.error.value;
  const isPast = feed.filter.before !== null;
  return (
    <>
      <header class="page-head">
        <h1>Activities</h1>
        <p>{isPast ? "A window into the past" : isPaused ? "Paused" : "Live"}</p>
        <div class="page-actions">
          {isPast ? (
            <Button onClick={() => go({ ...feed.filter, before: null })}>Back to the newest</Button>
          ) : (
            <Button onClick={() => setPaused(!isPaused)}>{isPaused ? "Resume" : "Pause"}</Button>
          )}
        </div>
      </header>
      <FilterBar filter={feed.filter} onChange={change}>
        <Select label="Type" value={feed.filter.type} options={ACTIVITY_TYPES} onChange={(type) => change({ type })} />
      </FilterBar>
      <div ref={top} class="held-top" aria-hidden="true" />
      <HeldPill held={feed.held.value} most={MAX_ROWS} what="activities" onShow={() => feed.release()} />
      {error !== null && <ErrorNote error={error} onRetry={() => feed.retry()} />}
      <div {...area}>
        <Rows feed={feed} />
      </div>
      <Older list={feed} hrefOf={(before) => href("activities", undefined, writeFilter({ ...feed.filter, before }))} />
    </>
  );
}

function go(filter: FeedFilter): void {
  navigate(href("activities", undefined, writeFilter(filter)));
}

function Rows({ feed }: { feed: ActivityFeed }) {
  const rows = feed.rows.value;
  if (!rows) return feed.error.value === null ? <Loading what="Loading the feed" /> : null;
  if (rows.length === 0) return feed.next.value === null ? <Nothing filter={feed.filter} /> : null;
  return (
    <ol class="card" aria-label="Activities, newest first">
      {rows.map((activity) => (
        <ActivityRow key={activity.seq} activity={activity} />
      ))}
    </ol>
  );
}

function Nothing({ filter }: { filter: FeedFilter }) {
  if (Object.keys(writeFilter(filter)).length > 0) return <Empty title="No activities fit the filter" />;
  return (
    <Empty title="Nothing has happened yet">
      <p>
        <a href="#/chat">Start a chat</a>, and it will show here.
      </p>
    </Empty>
  );
}
