/** The line below an answer: its error, author, time, duration and usage, and a button that copies its text. */
import type { FinishReason, Usage } from "../../../core/run.ts";
import type { Problem } from "../../live/api-error.ts";
import { href } from "../../router.ts";
import { Cost, Tokens } from "../../run-view/cost-cell.tsx";
import { priceOf, tokensOf } from "../../run-view/cost.ts";
import { agents } from "../../store/agents.ts";
import { endWords } from "../../run-view/finish-reason.ts";
import type { LiveRun } from "../../run-view/live-run.ts";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy-button.tsx";
import { Duration } from "../../ui/duration.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { clockTime } from "../../ui/format.ts";
import type { Turn } from "./turn.ts";

/** Facts about a finished answer; a fact is null if it is not known. */
interface Facts {
  readonly endedAt: number;
  readonly tookMs: number | null;
  readonly usage: Usage | null;
  readonly text: string;
}

interface Props {
  readonly turn: Turn;
  readonly status: string | null;
  readonly reason: FinishReason | null;
  readonly error: Problem | null;
  readonly facts: Facts | null;
  /** Asks the same question once more; null when another turn has followed. */
  readonly onAgain: ((turn: Turn) => void) | null;
}

export function factsOf({ view, waterfall }: LiveRun): Facts | null {
  if (!view.end) return null;
  const said = view.items.flatMap((item) => (item.kind === "text" && !item.isVoid ? [item.text] : []));
  const facts = { endedAt: view.end.at, tookMs: waterfall.totalMs(0), usage: known(view.usage) };
  return { ...facts, text: said.join("\n\n") };
}

export function storedFacts({ row, stored }: Turn): Facts | null {
  if (!row || row.finished_at === null) return null;
  const said = stored.flatMap((part) => (part.kind === "text" ? [part.text] : []));
  const facts = { endedAt: row.finished_at, tookMs: row.finished_at - row.created_at, usage: known(row.usage) };
  return { ...facts, text: said.join("\n\n") };
}

export function AnswerFoot({ turn, status, reason, error, facts, onAgain }: Props) {
  const { agentId, runId } = turn;
  const canRepeat = onAgain !== null && agentId !== null;
  const cut = endWords(reason);
  return (
    <>
      {cut !== null && error === null && <p class="turn-cut">{cut}</p>}
      {error && <ErrorNote error={error} {...(canRepeat && { onRetry: () => onAgain(turn) })} />}
      <p class="turn-foot">
        {status === "canceled" && <span>Stopped.</span>}
        {agentId !== null && <span>{agentId}</span>}
        {facts && <Used facts={facts} agentId={agentId} />}
        <a href={href("runs", runId)}>Run details</a>
        {facts?.text && <CopyButton text={facts.text} />}
        {status === "canceled" && canRepeat && (
          <Button kind="quiet" onClick={() => onAgain(turn)}>
            Ask again
          </Button>
        )}
      </p>
    </>
  );
}

function Used({ facts: { endedAt, tookMs, usage }, agentId }: { facts: Facts; agentId: string | null }) {
  return (
    <>
      <time class="num" dateTime={new Date(endedAt).toISOString()}>
        {clockTime(endedAt)}
      </time>
      {tookMs !== null && <Duration ms={tookMs} />}
      {usage && (
        <span title="Tokens in and out">
          <Tokens usage={usage} /> tokens
        </span>
      )}
      {usage && agentId !== null && priceOf(agentId, agents.value) && <Cost agentId={agentId} usage={usage} />}
    </>
  );
}

function known(usage: Usage): Usage | null {
  const { input, output } = tokensOf(usage);
  return input + output > 0 ? usage : null;
}
