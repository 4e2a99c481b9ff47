/** One turn: the question, then the answer, live or stored, and the error. */
import "./turn-view.css";
import { useMemo, useState } from "preact/hooks";
import { Markdown } from "../../markdown/markdown.tsx";
import type { UnsentReason } from "../../../core/message.ts";
import type { LiveRun } from "../../run-view/live-run.ts";
import { wereAhead } from "../../run-view/ahead.ts";
import { QuestionView } from "../../run-view/question-view.tsx";
import { RunItems } from "../../run-view/run-items.tsx";
import { Sources } from "../../run-view/sources.tsx";
import { ToolCall } from "../../run-view/tool-call.tsx";
import { Button } from "../../ui/button.tsx";
import { AnswerFoot, factsOf, storedFacts } from "./answer-foot.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import type { ChatThread } from "./thread.ts";
import type { AnswerPart, Turn } from "./turn.ts";

interface Props {
  readonly turn: Turn;
  readonly thread: ChatThread;
  /** Asks the same question once more, as a new turn; null when another turn has followed. */
  readonly onAgain: ((turn: Turn) => void) | null;
  /** Takes a refused message back, so that the person can change it. */
  readonly onEdit: (turn: Turn) => void;
  /** Another turn before this one is not over: this one waits for it. */
  readonly isBehind: boolean;
}

const UNSENT: Record<UnsentReason, string> = {
  withdrawn: "Not sent to the model: it was taken back before its turn.",
  refused: "Not sent again: the model refused it.",
  rejected: "Not sent again: the model's API took it for invalid.",
  too_large: "Not sent again: it is too large for the model.",
  repeated: "Not sent: the message before it is the same.",
  retried: "Not sent again: a retry of its run goes on with it.",
  superseded: "Not sent again: a later message took its place.",
};

export function TurnView(props: Props) {
  const { turn } = props;
  return (
    <li class="turn">
      <div class="turn-asked">
        <h2 class="visually-hidden">You asked</h2>
        {turn.asked ? <QuestionView asked={turn.asked} /> : <p>…</p>}
        {turn.unsent && <p class="turn-unsent">{UNSENT[turn.unsent]}</p>}
      </div>
      {turn.live ? <LiveAnswer {...props} live={turn.live} /> : <StoredAnswer {...props} />}
    </li>
  );
}

function LiveAnswer({ turn, live, thread, onAgain, isBehind }: Props & { live: LiveRun }) {
  void live.revision.value;
  const { view } = live;
  const isDone = view.end !== null;
  return (
    <div class="turn-answer" aria-live="polite" aria-busy={!isDone}>
      <h2 class="visually-hidden">{view.agentId ?? "The agent"} answered</h2>
      <RunItems items={view.items} isDetailed={false} />
      {!isDone && <Progress live={live} isBehind={isBehind} />}
      {!isDone && isBehind && <Withdraw thread={thread} runId={turn.runId} />}
      {live.error.value && <ErrorNote error={live.error.value} onRetry={() => live.retry()} />}
      <AnswerFoot
        turn={turn}
        status={view.status}
        reason={view.end?.reason ?? null}
        error={view.end?.error ?? null}
        facts={factsOf(live)}
        onAgain={isDone ? onAgain : null}
      />
    </div>
  );
}

/** Shown only while nothing else on the page moves. */
function Progress({ live, isBehind }: { live: LiveRun; isBehind: boolean }) {
  void live.revision.value;
  const { view, error } = live;
  const last = view.items.at(-1);
  // The state of the run is unknown until its first event arrives.
  if (view.status === null && error.value) return null;
  if (view.status === null || isBehind)
    return <p class="turn-wait">{isBehind ? "Waits for the answer above" : "Loading"}…</p>;
  if (last && "isOpen" in last && last.isOpen && last.text !== "") return null;
  if (view.status === "queued") {
    return <p class="turn-wait">{view.ahead > 0 ? `In the queue: ${wereAhead(view.ahead)}` : "In the queue"}…</p>;
  }
  if (last?.kind === "tool" && last.result === null) return null;
  return <p class="turn-wait">{waitsFor(view)}…</p>;
}

function waitsFor({ status, delegatedRuns }: LiveRun["view"]): string {
  if (status !== "parked") return "Waiting for the model";
  if (delegatedRuns === 0) return "Parked";
  return `Parked for ${delegatedRuns === 1 ? "a delegated run" : `${delegatedRuns} delegated runs`}`;
}

function StoredAnswer({ turn, thread, onAgain, onEdit }: Props) {
  const parts = useMemo(() => turn.stored.map(showPart), [turn.stored]);
  const { sending } = turn;
  return (
    <div class="turn-answer">
      <h2 class="visually-hidden">{turn.agentId ?? "The agent"} answered</h2>
      {parts.length > 0 && <ol class="items">{parts}</ol>}
      {sending === "sending" && <p class="turn-wait">Sending…</p>}
      {sending !== null && sending !== "sending" && (
        <ErrorNote
          error={sending}
          onEdit={() => onEdit(turn)}
          // The server would refuse the same message again.
          {...(sending.code !== "BODY_TOO_LARGE" && { onRetry: () => thread.resend(turn) })}
        />
      )}
      {sending === null && (
        <AnswerFoot
          turn={turn}
          status={turn.end?.status ?? "completed"}
          reason={turn.end?.reason ?? null}
          error={turn.end?.error ?? null}
          facts={storedFacts(turn)}
          onAgain={onAgain}
        />
      )}
    </div>
  );
}

function showPart(part: AnswerPart, index: number) {
  return (
    <li key={index} class="item">
      {part.kind === "text" && <Markdown text={part.text} isDone />}
      {part.kind === "text" && <Sources citations={part.citations ?? []} />}
      {part.kind === "tool" && <ToolCall tool={part.tool} isOpen={false} />}
      {part.kind === "thought" && (
        <details class="thought">
          <summary>Thoughts</summary>
          <p dir="auto">{part.text}</p>
        </details>
      )}
    </li>
  );
}

/** Takes a queued message back, also one that another client has sent. */
function Withdraw({ thread, runId }: { thread: ChatThread; runId: string }) {
  const [isBusy, setBusy] = useState(false);
  const cancel = () => {
    setBusy(true);
    // A refusal means that the turn of the message has come.
    thread.cancel(runId).catch(() => setBusy(false));
  };
  return (
    <p class="turn-foot">
      <Button kind="quiet" busy={isBusy} onClick={cancel}>
        Take out of the queue
      </Button>
    </p>
  );
}
