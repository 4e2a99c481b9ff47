/** One run: its question, its result, and where its time went. Live until the run ends. */
import "./run.css";
import { useEffect, useMemo } from "preact/hooks";
import { services } from "../../live/services.ts";
import { serverNow } from "../../store/clock.ts";
import { shortId } from "../../ui/format.ts";
import { wereAhead } from "../../run-view/ahead.ts";
import { QuestionView } from "../../run-view/question-view.tsx";
import { RunItems } from "../../run-view/run-items.tsx";
import { useLiveRun } from "../../run-view/use-live-run.ts";
import { WaterfallChart } from "../../run-view/waterfall-chart.tsx";
import { useTitle } from "../../store/title.ts";
import { Empty } from "../../ui/empty.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { Loading } from "../../ui/loading.tsx";
import { RunDetails } from "./run-details.ts";
import { RunFamily } from "./run-family.ts";
import { RunHead } from "./run-head.tsx";
import { RunMore } from "./run-more.tsx";
import type { PageProps } from "../addresses.ts";

export function RunPage({ id = "" }: Partial<PageProps>) {
  useTitle(`Run ${shortId(id)}`);
  const live = useLiveRun(id);
  const details = useMemo(() => new RunDetails(services, id), [id]);
  const family = useMemo(() => new RunFamily(services, id), [id]);
  useEffect(() => details.load(), [details]);
  // The stored run has all steps and the whole error, so read it after each of these changes.
  const { status } = live.view;
  useEffect(() => {
    if (live.revision.value > 0) details.refresh();
  }, [details, status, live.view.modelCalls]);
  const delegated = live.view.items.some((item) => item.kind === "tool" && item.delegated.length > 0);
  const isOver = live.view.end !== null;
  useEffect(
    () => (delegated ? family.follow(isOver) : undefined),
    [family, delegated, isOver, status, live.view.modelCalls],
  );

  void live.revision.value;
  const run = details.run.value;
  const error = details.error.value;
  if (error) return <ErrorNote error={error} onRetry={() => details.load()} />;
  if (!run) return <Loading what="Loading the run" />;
  const { view, waterfall } = live;
  const failure = view.end?.error ?? run.error;
  return (
    <>
      <RunHead run={run} view={view} details={details} family={family} />
      {details.actionError.value && <ErrorNote error={details.actionError.value} />}
      {/* The error comes first, because nobody would find it below the tool calls of a long run. */}
      {failure && <ErrorNote error={failure} />}
      <section class="card run-time" aria-label="Where the time went">
        <WaterfallChart waterfall={waterfall} now={view.end ? 0 : serverNow.value} />
      </section>
      <RunMore run={run} lastSeq={view.lastSeq} />
      <Request details={details} />
      <section class="run-flow" aria-label="What happened" aria-busy={!view.end}>
        {live.error.value && <ErrorNote error={live.error.value} onRetry={() => live.retry()} />}
        <RunItems items={view.items} isDetailed />
        {view.end?.status === "canceled" && <p class="item-event">Canceled.</p>}
        {view.status && view.items.length === 0 && !view.end && <Waiting ahead={view.ahead} status={view.status} />}
      </section>
      {/* Announce only the end: a screen reader that reads out each word of the model helps nobody. */}
      <p class="visually-hidden" role="status">
        {view.end && `Run ${view.end.status}`}
      </p>
    </>
  );
}

function Request({ details }: { details: RunDetails }) {
  const asked = details.asked.value;
  const error = details.askedError.value;
  // A run without a message, as that of a job, may have no stored thread.
  if (error && error.code !== "THREAD_NOT_FOUND") return <ErrorNote error={error} onRetry={() => details.refresh()} />;
  if (asked === null) return null;
  return (
    <section class="run-asked" aria-label="What was asked">
      <QuestionView asked={asked} />
    </section>
  );
}

function Waiting({ ahead, status }: { ahead: number; status: string }) {
  if (status !== "queued") return <p class="item-event">Waiting for the model…</p>;
  return (
    <Empty title="In the queue">
      <p>{ahead === 0 ? "It starts as soon as an agent is free." : `${wereAhead(ahead)}.`}</p>
    </Empty>
  );
}
