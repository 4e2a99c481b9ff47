/**
 * Where a message is written: Enter sends, Shift+Enter begins a new line, Stop ends the answer that is being written.
 * Enter while an answer is being written asks whether the message shall wait for it or end it.
 */
import "./composer.css";
import "../../ui/select.css";
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Strategy } from "../../live/messages.ts";
import { agents } from "../../store/agents.ts";
import { Button } from "../../ui/button.tsx";
import { keepDraft, readDraft } from "./unsent.ts";

/** A message that was refused, to be written anew. */
export interface TakenBack {
  readonly agentId: string | null;
  readonly text: string;
}

interface Props {
  readonly threadId: string;
  /** The name under which the unsent text is kept. */
  readonly draft: string;
  /** What the thread spoke with last, or what the link asks for. */
  readonly preferredAgent: string | null;
  /** Each one comes into the field once, before what is there already. */
  readonly taken: TakenBack | null;
  readonly isRunning: boolean;
  readonly isStopping: boolean;
  readonly onSend: (agentId: string, message: string, strategy?: Strategy) => void;
  readonly onStop: () => void;
}

const MAX_HEIGHT_PX = 240;
/** Stop stands where Send was: so soon after it, a click was meant for Send. */
const STOP_AFTER_MS = 500;
/** What Safari says of the Enter that ends a composition, when `isComposing` is false again already. */
const COMPOSING_KEY = 229;

export function Composer({ threadId, draft, preferredAgent, taken, isRunning, isStopping, onSend, onStop }: Props) {
  const [text, setText] = useDraft(draft);
  const [agentId, chooseAgent] = useAgent(preferredAgent);
  const field = useRef<HTMLTextAreaElement>(null);
  const sentAt = useRef(-Infinity);
  const [isAsking, setAsking] = useState(false);
  const canSend = text.trim() !== "" && agentId !== undefined;
  // An answer that ends meanwhile answers the question.
  const asks = isAsking && isRunning && canSend;
  useEffect(() => focus(field.current), [threadId]);
  useEffect(() => {
    if (!taken) return;
    setText(text === "" ? taken.text : `${taken.text}\n${text}`);
    focus(field.current);
  }, [taken]);
  useEffect(() => fit(field.current), [text]);

  const send = (strategy?: Strategy) => {
    setAsking(false);
    if (!canSend) return;
    sentAt.current = performance.now();
    setText("");
    onSend(agentId, text, strategy);
    // The button that had it is gone.
    focus(field.current);
  };
  const stop = () => {
    if (performance.now() - sentAt.current > STOP_AFTER_MS) onStop();
    focus(field.current);
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    if (isRunning && canSend) setAsking(true);
    else send();
  };
  const back = () => {
    setAsking(false);
    focus(field.current);
  };
  return (
    <form class="composer" aria-label="Message" onSubmit={onSubmit}>
      <MessageField field={field} text={text} onInput={setText} onEnter={onSubmit} />
      {asks && <QueueOrInterrupt onSend={send} onBack={back} />}
      <div class="composer-bar">
        <AgentChoice agentId={agentId} onChange={chooseAgent} />
        <Hint />
        <SendOrStop canSend={canSend} isRunning={isRunning} isStopping={isStopping} onStop={stop} />
      </div>
    </form>
  );
}

interface FieldProps {
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly text: string;
  readonly onInput: (text: string) => void;
  readonly onEnter: (event: Event) => void;
}

function MessageField({ field, text, onInput, onEnter }: FieldProps) {
  return (
    <textarea
      ref={field}
      class="composer-text"
      rows={1}
      dir={directionOf(text)}
      aria-label="Your message"
      placeholder="Ask something"
      value={text}
      onInput={(event) => onInput(event.currentTarget.value)}
      onKeyDown={(event) => isSendKey(event) && onEnter(event)}
    />
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

/** Of the first letter. [dir="auto" on a field that takes a megabyte blocked the page for over 15 s.] */
function directionOf(text: string): "ltr" | "rtl" {
  return /^\P{L}*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u.test(text.slice(0, 200)) ? "rtl" : "ltr";
}

/** While an input method composes, Enter chooses a character. */
function isSendKey({ key, keyCode, shiftKey, isComposing }: KeyboardEvent): boolean {
  return key === "Enter" && !shiftKey && !isComposing && keyCode !== COMPOSING_KEY;
}

/** How to send, or why it cannot be done. */
function Hint() {
  if (agents.value !== null && agents.value.length > 0) {
    return <span class="composer-hint">Enter sends, Shift+Enter begins a line</span>;
  }
  return (
    <span class="composer-hint composer-problem" role="status">
      {agents.value === null
        ? "The server has not told its agents yet, and is asked again"
        : "The server has no agents"}
    </span>
  );
}

/** A text that outlives the page's leaving this conversation. */
function useDraft(place: string): [string, (text: string) => void] {
  const [text, setText] = useState(() => readDraft(place));
  const change = (next: string) => {
    setText(next);
    keepDraft(place, next);
  };
  return [text, change];
}

/** With a finger the focus would open the keyboard over what is to be read. */
function focus(field: HTMLTextAreaElement | null): void {
  if (matchMedia("(pointer: fine)").matches) field?.focus();
}

/** The one that was chosen here, or the thread's, or the first there is. */
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

/** As high as its text, up to a bound. */
function fit(field: HTMLTextAreaElement | null): void {
  if (!field) return;
  field.style.height = "auto";
  field.style.height = `${Math.min(MAX_HEIGHT_PX, field.scrollHeight)}px`;
}
