/**
 * Details for a run that behaves unexpectedly: its model and tools, its limits, its metadata, and every event of its
 * journal.
 */
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { isOver, type Run } from "../../../core/run.ts";
import { services } from "../../live/services.ts";
import { agents } from "../../store/agents.ts";
import { Button } from "../../ui/button.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { Folded } from "../../ui/folded.tsx";
import { clockTime, duration } from "../../ui/format.ts";
import { RunEvents } from "./run-events.ts";
import { showHidden } from "../../ui/show-hidden.ts";

interface Props {
  readonly run: Run;
  /** Position of the newest event that the page knows. */
  readonly lastSeq: number;
}

export function RunMore({ run, lastSeq }: Props) {
  const agent = agents.value?.find(({ agent_id: id }) => id === run.agent_id);
  const timeoutMs = run.timeout_ms ?? agent?.limits.timeout_ms;
  const metadata = Object.keys(run.metadata).length > 0 ? JSON.stringify(run.metadata, null, 2) : null;
  return (
    <details class="run-more card">
      <summary>Model, tools, metadata and events</summary>
      <dl class="facts">
        <Line name="Model">{agent?.model}</Line>
        <Line name="Tools">{agent?.tools.join(", ")}</Line>
        <Line name="MCP servers">{agent?.mcp.join(", ")}</Line>
        <Line name="May delegate to">{agent?.delegates.join(", ")}</Line>
        <Line name="Most steps">{agent && String(agent.limits.max_steps)}</Line>
        <Line name="Most time">{timeoutMs === undefined ? undefined : duration(timeoutMs)}</Line>
      </dl>
      {agent && <p class="run-more-note">The agent as it is configured now; the run may be older.</p>}
      {metadata !== null && <Folded label="Metadata" text={metadata} />}
      <Events run={run} lastSeq={lastSeq} />
    </details>
  );
}

function Line({ name, children }: { name: string; children: ComponentChildren }) {
  if (children === undefined || children === "") return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Events({ run: { run_id: runId, status }, lastSeq }: Props) {
  const events = useMemo(() => new RunEvents(services, runId), [runId]);
  const rows = events.rows.value;
  const error = events.error.value;
  return (
    <div>
      {rows.length > 0 && (
        <ol class="run-events" aria-label="Events">
          {rows.map((event) => (
            <li key={event.seq}>
              <details>
                <summary>
                  <span class="num">{event.seq}</span>
                  <time class="num">{clockTime(event.timestamp)}</time>
                  <span>{event.type === "CUSTOM" ? String(event["name"]) : event.type}</span>
                </summary>
                <pre dir="ltr">{showHidden(JSON.stringify(event, null, 2))}</pre>
              </details>
            </li>
          ))}
        </ol>
      )}
      {error && <ErrorNote error={error} onRetry={() => events.loadMore()} />}
      {(!isOver(status) || events.hasMore(lastSeq)) && (
        <Button busy={events.isLoading.value} onClick={() => events.loadMore()}>
          {rows.length === 0 ? "Show the events" : "More events"}
        </Button>
      )}
    </div>
  );
}
