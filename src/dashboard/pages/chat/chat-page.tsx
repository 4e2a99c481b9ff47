/**
 * Talking with an agent. The conversation's id is in the URL from the first message on, so a reload finds it, even in
 * the middle of an answer.
 */
import "./chat.css";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { agents } from "../../store/agents.ts";
import { problemOf, type Problem } from "../../live/api-error.ts";
import type { Strategy } from "../../live/messages.ts";
import { services } from "../../live/services.ts";
import { href, navigate } from "../../router.ts";
import type { Question } from "../../run-view/question.ts";
import { useTitle } from "../../store/title.ts";
import { Ask } from "../../ui/ask.tsx";
import { useStickToEnd } from "../../ui/stick-to-end.ts";
import { Button } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { Loading } from "../../ui/loading.tsx";
import { Composer, type TakenBack } from "./composer.tsx";
import { ThreadNav } from "./thread-nav.tsx";
import { ChatThread } from "./thread.ts";
import { TurnView } from "./turn-view.tsx";
import { answeringOf, growthOf, isBehind, type Turn } from "./turn.ts";
import type { PageProps } from "../addresses.ts";
import { showHidden } from "../../ui/show-hidden.ts";

export function ChatPage({ id, query = new URLSearchParams() }: Partial<PageProps>) {
  const thread = useThread(id);
  return (
    <div class="chat">
      <ThreadNav current={id} />
      <Conversation key={thread.threadId} thread={thread} isNamed={id !== undefined} wishedAgent={query.get("agent")} />
    </div>
  );
}

/**
 * The thread of the URL. A new chat has no id in the URL; when its first message adds the id, the same object goes
 * on.
 */
function useThread(id: string | undefined): ChatThread {
  const held = useRef<{ thread: ChatThread; isNamed: boolean } | null>(null);
  const isSame = id === undefined ? held.current?.isNamed === false : held.current?.thread.threadId === id;
  if (!isSame || !held.current) held.current = { thread: new ChatThread(services, id), isNamed: false };
  held.current.isNamed = id !== undefined;
  const { thread } = held.current;
  useEffect(() => {
    thread.start();
    return () => thread.stop();
  }, [thread]);
  return thread;
}

const MISSING = "It was deleted, or its address is mistyped.";

interface ConversationProps {
  readonly thread: ChatThread;
  readonly isNamed: boolean;
  readonly wishedAgent: string | null;
}

function Conversation({ thread, isNamed, wishedAgent }: ConversationProps) {
  const { content, toEnd } = useStickToEnd<HTMLDivElement>({
    state: () => growthOf(thread.turns.value),
    key: thread.isMissing.value ? null : thread,
  });
  const [taken, setTaken] = useState<TakenBack | null>(null);
  useTitle(showHidden(thread.title.value ?? "") || null);
  const turns = thread.turns.value;
  const error = thread.watch.error.value ?? thread.error.value;
  const send = (agentId: string, asked: Question, strategy?: Strategy) => {
    thread.send(agentId, asked, strategy);
    // Change the URL before any answer comes, so that from now on a reload finds this conversation.
    if (!isNamed) navigate(href("chat", thread.threadId));
    toEnd();
  };
  const again = ({ runId, agentId, asked }: Turn) => {
    // A second click can come before the page is drawn without the button.
    if (agentId === null || asked === null || thread.turns.value?.at(-1)?.runId !== runId) return;
    send(agentId, asked);
  };
  const edit = (turn: Turn) => {
    thread.withdraw(turn);
    setTaken({ agentId: turn.agentId, asked: turn.asked ?? [] });
  };
  if (thread.isDeleted.value) return <Gone title="This conversation was deleted" />;
  if (thread.isMissing.value) return <Gone title="There is no such conversation" why={MISSING} />;
  return (
    <section class="talk" aria-label="Conversation">
      <TalkHead thread={thread} isNamed={isNamed} />
      <div ref={content} class="talk-content">
        {error !== null && <ErrorNote error={error} onRetry={() => thread.retry()} />}
        {turns === null && error === null && <Loading what="Loading the conversation" />}
        {turns?.length === 0 && <Welcome />}
        <Older thread={thread} />
        {turns && <Turns turns={turns} thread={thread} onAgain={again} onEdit={edit} />}
      </div>
      <Write thread={thread} isNamed={isNamed} wishedAgent={wishedAgent} taken={taken} onSend={send} />
    </section>
  );
}

/** Loads older messages. They are added above, and the reader's place keeps its distance from the end. */
function Older({ thread }: { thread: ChatThread }) {
  const belowPx = useRef<number | null>(null);
  const turns = thread.turns.value;
  useLayoutEffect(() => {
    if (belowPx.current === null) return;
    scrollTo({ top: document.documentElement.scrollHeight - belowPx.current, behavior: "instant" });
    belowPx.current = null;
  }, [turns]);
  if (!thread.hasOlder.value) return null;
  const load = () => {
    belowPx.current = document.documentElement.scrollHeight - scrollY;
    thread.loadOlder();
  };
  return (
    <p class="talk-older">
      <Button onClick={load} busy={thread.isLoadingOlder.value}>
        Older messages
      </Button>
    </p>
  );
}

interface TurnsProps {
  readonly turns: readonly Turn[];
  readonly thread: ChatThread;
  readonly onAgain: (turn: Turn) => void;
  readonly onEdit: (turn: Turn) => void;
}

function Turns({ turns, thread, onAgain, onEdit }: TurnsProps) {
  return (
    <ol class="turns">
      {turns.map((turn) => (
        <TurnView
          key={turn.runId}
          turn={turn}
          thread={thread}
          onAgain={turn === turns.at(-1) ? onAgain : null}
          onEdit={onEdit}
          isBehind={isBehind(turns, turn)}
        />
      ))}
    </ol>
  );
}

function Gone({ title, why }: { title: string; why?: string }) {
  return (
    <Empty title={title}>
      <p>
        {why} <a href={href("chat")}>Start a new one</a>
      </p>
    </Empty>
  );
}

interface WriteProps extends ConversationProps {
  readonly taken: TakenBack | null;
  readonly onSend: (agentId: string, asked: Question, strategy?: Strategy) => void;
}

function Write({ thread, isNamed, wishedAgent, taken, onSend }: WriteProps) {
  const [stopping, setStopping] = useState<string | null>(null);
  const turns = thread.turns.value;
  for (const { live } of turns ?? []) void live?.revision.value;
  const answering = answeringOf(turns);
  const last = turns?.at(-1);
  const stop = () => {
    if (!answering) return;
    setStopping(answering.runId);
    // A refused cancel means that the run is already over; its last event arrives in a moment.
    thread.cancel(answering.runId).catch(() => setStopping(null));
  };
  return (
    <Composer
      threadId={thread.threadId}
      draft={isNamed ? thread.threadId : "new"}
      preferredAgent={last?.agentId ?? last?.live?.view.agentId ?? taken?.agentId ?? wishedAgent}
      taken={taken}
      isRunning={answering !== undefined}
      isStopping={answering !== undefined && stopping === answering.runId}
      onSend={onSend}
      onStop={stop}
    />
  );
}

function TalkHead({ thread, isNamed }: { thread: ChatThread; isNamed: boolean }) {
  const [isAsking, setAsking] = useState(false);
  const [error, setError] = useState<Problem | null>(null);
  const remove = () => {
    setAsking(false);
    setError(null);
    thread.delete().then(
      () => navigate(href("chat")),
      (failed: unknown) => setError(problemOf(failed)),
    );
  };
  return (
    <header class="page-head talk-head">
      <h1 class="talk-title" dir="auto">
        {isNamed ? showHidden(thread.title.value ?? "") || "Chat" : "New chat"}
      </h1>
      {isNamed && <code class="talk-id mute">{thread.threadId}</code>}
      {isNamed && (
        <div class="page-actions">
          <a class="button button-quiet" href={href("runs", undefined, { thread: thread.threadId })}>
            Runs
          </a>
          <Button kind="quiet" onClick={() => setAsking(true)}>
            Delete
          </Button>
        </div>
      )}
      {error !== null && <ErrorNote error={error} />}
      {isAsking && (
        <Ask title="Delete this conversation?" verb="Delete" onYes={remove} onNo={() => setAsking(false)}>
          <p>Its messages, runs and activities are removed for good.</p>
        </Ask>
      )}
    </header>
  );
}

function Welcome() {
  return (
    <Empty title="What would you like to know?">
      <dl class="welcome">
        {agents.value?.map(({ agent_id: id, description, model }) => (
          <div key={id}>
            <dt>{id}</dt>
            <dd>
              {description} <span class="mute">{model}</span>
            </dd>
          </div>
        ))}
      </dl>
    </Empty>
  );
}
