/**
 * The run that a tool call was delegated to, beneath that call: live while it lasts, with its own calls and what
 * they delegated. It is followed while it is unfolded and near the window, because all tabs share a socket that takes
 * 256 subscriptions. While it is not followed, it shows no state; the call above shows the state.
 */
import "./delegated-run.css";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { href } from "../router.ts";
import { useVisible } from "../ui/use-visible.ts";
import { Duration } from "../ui/duration.tsx";
import { ErrorNote } from "../ui/error-note.tsx";
import { Loading } from "../ui/loading.tsx";
import { StatusBadge } from "../ui/status-badge.tsx";
import type { Delegated, Item } from "./items.ts";
import type { LiveRun } from "./live-run.ts";
import { useLiveRun } from "./use-live-run.ts";

interface Props {
  readonly to: Delegated;
  readonly isOpenAtFirst: boolean;
  /** Passed in, because run-items.tsx imports this file. */
  readonly show: (items: readonly Item[]) => ComponentChildren;
}

/**
 * Distance outside the window at which following begins, so that a run has its content when the reader scrolls to it.
 */
const NEAR_PX = 800;

export function DelegatedRun({ to: { runId, agentId }, isOpenAtFirst, show }: Props) {
  const [isOpen, setOpen] = useState(isOpenAtFirst);
  const [isNear, setNear] = useState(false);
  const element = useVisible<HTMLDetailsElement>(setNear, { marginPx: NEAR_PX });
  const isFollowed = isOpen && isNear;
  const live = useLiveRun(runId, isFollowed);
  void live.revision.value;
  const { view, waterfall } = live;
  const status = isFollowed || view.end ? statusOf(live) : null;
  return (
    <details ref={element} class="delegated" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span class="delegated-to">
          Delegated to <strong>{agentId}</strong>
        </span>
        {view.end && <Duration ms={waterfall.totalMs(0)} />}
        {status !== null && <StatusBadge status={status} />}
      </summary>
      {isOpen && <Body live={live} agentId={agentId} show={show} />}
    </details>
  );
}

function Body({ live, agentId, show }: Pick<Props, "show"> & { live: LiveRun; agentId: string }) {
  void live.revision.value;
  const { view, runId } = live;
  return (
    // A screen reader reads the answer of the asked run aloud, but not the answers of the runs that work for it.
    <div class="delegated-body" aria-live="off" aria-busy={!view.end}>
      {show(view.items)}
      <Trouble live={live} />
      {!isDeleted(live) && (
        <p class="delegated-foot">
          <a href={href("runs", runId)}>Open the run of {agentId}</a>
        </p>
      )}
    </div>
  );
}

/** The text that replaces the answer when the run has none yet, failed, or is gone. */
function Trouble({ live }: { live: LiveRun }) {
  void live.revision.value;
  const { view } = live;
  const error = live.error.value;
  if (isDeleted(live)) return <p class="item-event">This run was deleted.</p>;
  if (error) return <ErrorNote error={error} onRetry={() => live.retry()} />;
  if (view.end?.error) return <ErrorNote error={view.end.error} />;
  if (view.lastSeq === 0) return <Loading what="Loading the run" />;
  if (view.end || view.items.length > 0) return null;
  return <p class="item-event">{view.status === "queued" ? "In the queue…" : "Waiting for the model…"}</p>;
}

/** Null while nothing is known of the run; then the call above shows the state. */
function statusOf(live: LiveRun): string | null {
  if (isDeleted(live)) return "deleted";
  if (live.error.value) return "unknown";
  return live.view.status;
}

function isDeleted(live: LiveRun): boolean {
  return live.error.value?.code === "RUN_NOT_FOUND";
}
