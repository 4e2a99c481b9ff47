/**
 * The form for a message: Enter sends, Shift+Enter begins a new line, Stop ends the answer under way. Enter during an
 * answer asks whether the message waits for the answer or ends it.
 */
import "./composer.css";
import "../../ui/select.css";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Strategy } from "../../live/messages.ts";
import { agents } from "../../store/agents.ts";
import type { Question } from "../../run-view/question.ts";
import { Button } from "../../ui/button.tsx";
import { AttachButton, AttachmentList, FileForm } from "./attach.tsx";
import { MessageField } from "./message-field.tsx";
import { useMessage } from "./use-message.ts";

/** A refused message, which comes back to be edited. */
export interface TakenBack {
  readonly agentId: string | null;
  readonly asked: Question;
}

interface Props {
  readonly threadId: string;
  /** The name under which the unsent text is kept. */
  readonly draft: string;
  /** The agent that answered last in the thread, or the one that the link asks for. */
  readonly preferredAgent: string | null;
  /** Each message is put into the field once, in front of the present text. */
  readonly taken: TakenBack | null;
  readonly isRunning: boolean;
  readonly isStopping: boolean;
  readonly onSend: (agentId: string, asked: Question, strategy?: Strategy) => void;
  readonly onStop: () => void;
}

/** Stop appears where Send was, so a click within this time was meant for Send. */
const STOP_AFTER_MS = 500;
export function Composer({ threadId, draft, preferredAgent, taken, isRunning, isStopping, onSend, onStop }: Props) {
  const field = useRef<HTMLTextAreaElement>(null);
  const sentAt = useRef(-Infinity);
  const { text, setText, attachments, isEmpty, hindrance, take } = useMessage(draft, taken?.asked ?? null);
  const [agentId, chooseAgent] = useAgent(preferredAgent);
  const [isAsking, setAsking] = useState(false);
  const canSend = !isEmpty && hindrance === null && agentId !== undefined;
  // If the answer ends meanwhile, the question needs no reply.
  const asks = isAsking && isRunning && canSend;
  useEffect(() => focus(field.current), [threadId, taken]);

  // Focus the field, because the button that had the focus is removed.
  const thenWrite = (does: () => void) => () => {
    does();
    focus(field.current);
  };
  const send = (strategy?: Strategy) => {
    setAsking(false);
    if (!canSend) return;
    sentAt.current = performance.now();
    onSend(agentId, take(), strategy);
    focus(field.current);
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    if (isRunning && canSend) setAsking(true);
    else send();
  };
  const stop = thenWrite(() => performance.now() - sentAt.current > STOP_AFTER_MS && onStop());
  const attach = (files: readonly File[]) => thenWrite(() => attachments.add(files))();
  return (
    <FileForm class="composer" label="Message" onSubmit={onSubmit} onFiles={attach}>
      <AttachmentList attachments={attachments} />
      <MessageField field={field} text={text} onInput={setText} onEnter={onSubmit} />
      {asks && <QueueOrInterrupt onSend={send} onBack={thenWrite(() => setAsking(false))} />}
      <div class="composer-bar">
        <AgentChoice agentId={agentId} onChange={chooseAgent} />
        <AttachButton onFiles={attach} />
        <Hint hindrance={hindrance} />
        <SendOrStop canSend={canSend} isRunning={isRunning} isStopping={isStopping} onStop={stop} />
      </div>
    </FileForm>
  );
}

interface ButtonProps extends Pick<Props, "isRunning" | "isStopping" | "onStop"> {
  readonly canSend: boolean;
}

function SendOrStop({ canSend, isRunning, isStopping, onStop }: ButtonProps) {
  return (
    <>
      {isRunning && (
        <Button key="stop" onClick={onStop} busy={isStopping}>
          {isStopping ? "Stopping…" : "Stop"}
        </Button>
      )}
      {(!isRunning || canSend) && (
        <Button key="send" kind="primary" type="submit" disabled={!canSend}>
          Send
        </Button>
      )}
    </>
  );
}

interface QuestionProps {
  readonly onSend: (strategy: Strategy) => void;
  readonly onBack: () => void;
}

function QueueOrInterrupt({ onSend, onBack }: QuestionProps) {
  const first = useRef<HTMLDivElement>(null);
  useEffect(() => first.current?.querySelector("button")?.focus(), []);
  return (
    <div
      ref={first}
      class="composer-question"
      role="group"
      aria-label="An answer is still being written"
      onKeyDown={({ key }) => key === "Escape" && onBack()}
    >
      <p>An answer is still being written.</p>
      <Button kind="primary" onClick={() => onSend("enqueue")} title="Your message waits until the answer is there">
        Queue it
      </Button>
      <Button onClick={() => onSend("interrupt")} title="The answer ends here, and your message is next">
        Interrupt
      </Button>
      <Button kind="quiet" onClick={onBack}>
        Back
      </Button>
    </div>
  );
}

/** Says how to send, or why sending is impossible. */
function Hint({ hindrance }: { hindrance: string | null }) {
  if (agents.value !== null && agents.value.length > 0) {
    return (
      <span class={hindrance === null ? "composer-hint" : "composer-hint composer-said"} role="status">
        {hindrance ?? "Enter sends, Shift+Enter begins a line"}
      </span>
    );
  }
  return (
    <span class="composer-hint composer-problem" role="status">
      {agents.value === null
        ? "The server has not told its agents yet, and is asked again"
        : "The server has no agents"}
    </span>
  );
}

/** Focuses the field, except on touch screens: there the keyboard would cover the conversation. */
function focus(field: HTMLTextAreaElement | null): void {
  if (matchMedia("(pointer: fine)").matches) field?.focus();
}

/** The agent that was chosen here, or the thread's agent, or the first of all. */
function useAgent(preferred: string | null): [string | undefined, (agentId: string) => void] {
  const [chosen, setChosen] = useState<string | null>(null);
  const known = agents.value?.map(({ agent_id: id }) => id) ?? [];
  return [[chosen, preferred].find((id) => id !== null && known.includes(id)) ?? known[0], setChosen];
}

function AgentChoice({ agentId, onChange }: { agentId: string | undefined; onChange: (agentId: string) => void }) {
  return (
    <label class="filter">
      <span>Agent</span>
      <select class="input" value={agentId} onChange={(event) => onChange(event.currentTarget.value)}>
        {agents.value?.map(({ agent_id: id, description }) => (
          <option key={id} value={id} title={description}>
            {id}
          </option>
        ))}
      </select>
    </label>
  );
}
