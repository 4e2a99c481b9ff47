/** One turn: the question, then the answer, as it streams or as it is stored, and what went wrong. */
import { useMemo } from "preact/hooks";
import { isOver } from "../../../core/run.ts";
import { Markdown } from "../../markdown/markdown.tsx";
import { href } from "../../router.ts";
import type { LiveRun } from "../../run-view/live-run.ts";
import { RunItems } from "../../run-view/run-items.tsx";
import { ToolCall } from "../../run-view/tool-call.tsx";
import { Button } from "../../ui/button.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import type { ChatThread } from "./thread.ts";
import type { AnswerPart, Turn } from "./turn.ts";

export function TurnView({ turn, thread }: { turn: Turn; thread: ChatThread }) {
  return (
    <li class="turn">
      <div class="turn-asked">
        <h2 class="visually-hidden">You asked</h2>
        <p>{turn.asked ?? "…"}</p>
      </div>
      {turn.live ? (
        <LiveAnswer turn={turn} live={turn.live} thread={thread} />
      ) : (
        <StoredAnswer turn={turn} thread={thread} />
      )}
    </li>
  );
}

function LiveAnswer({ turn, live, thread }: { turn: Turn; live: LiveRun; thread: ChatThread }) {
  void live.revision.value;
  const { view } = live;
  const isDone = isOver(view.status);
  return (
    <div class="turn-answer" aria-live="polite" aria-busy={!isDone}>
      <h2 class="visually-hidden">{view.agentId ?? "The agent"} answered</h2>
      <RunItems items={view.items} isDetailed={false} />
      {!isDone && <Progress live={live} />}
      {live.error.value && <ErrorNote error={live.error.value} onRetry={() => live.start()} />}
      <AnswerFoot
        turn={turn}
        thread={thread}
        status={view.status}
        error={view.end?.error ? { code: view.end.error.code, message: view.end.error.detail } : null}
      />
    </div>
  );
}

/** Said only while nothing else moves. */
function Progress({ live: { view } }: { live: LiveRun }) {
  const last = view.items.at(-1);
  if (last && "isOpen" in last && last.isOpen && last.text !== "") return null;
  if (view.status === "queued") {
    return <p class="turn-wait">{view.ahead > 0 ? `In the queue, ${view.ahead} ahead` : "In the queue"}…</p>;
  }
  if (last?.kind === "tool" && last.result === null) return null;
  return <p class="turn-wait">{view.status === "waiting" ? "Parked" : "Waiting for the model"}…</p>;
}

function StoredAnswer({ turn, thread }: { turn: Turn; thread: ChatThread }) {
  const parts = useMemo(() => turn.stored.map(showPart), [turn.stored]);
  const { sending } = turn;
  return (
    <div class="turn-answer">
      <h2 class="visually-hidden">{turn.agentId ?? "The agent"} answered</h2>
      {parts.length > 0 && <ol class="items">{parts}</ol>}
      {sending === "sending" && <p class="turn-wait">Sending…</p>}
      {sending !== null && sending !== "sending" && <ErrorNote error={sending} onRetry={() => thread.resend(turn)} />}
      {sending === null && (
        <AnswerFoot
          turn={turn}
          thread={thread}
          status={turn.end?.status ?? "completed"}
          error={turn.end?.error ? { code: turn.end.error.code, message: turn.end.error.detail } : null}
        />
      )}
    </div>
  );
}

function showPart(part: AnswerPart, index: number) {
  return (
    <li key={index} class="item">
      {part.kind === "text" && <Markdown text={part.text} isDone />}
      {part.kind === "tool" && <ToolCall tool={part.tool} isOpen={false} />}
      {part.kind === "thought" && (
        <details class="thought">
          <summary>Thoughts</summary>
          <p>{part.text}</p>
        </details>
      )}
    </li>
  );
}

interface FootProps {
  readonly turn: Turn;
  readonly thread: ChatThread;
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

function AnswerFoot({ turn, thread, status, error }: FootProps) {
  const { asked, agentId, runId } = turn;
  const again = () => {
    if (asked !== null && agentId !== null) thread.send(agentId, asked);
  };
  return (
    <>
      {error && <ErrorNote error={error} {...(agentId !== null && { onRetry: again })} />}
      <p class="turn-foot">
        {status === "canceled" && <span>Stopped.</span>}
        {agentId !== null && <span>{agentId}</span>}
        <a href={href("runs", runId)}>Run details</a>
        {status === "canceled" && agentId !== null && (
          <Button kind="quiet" onClick={again}>
            Ask again
          </Button>
        )}
      </p>
    </>
  );
}
