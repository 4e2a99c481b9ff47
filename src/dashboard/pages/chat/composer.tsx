/** Where a message is written: Enter sends, Shift+Enter begins a new line, Stop ends the answer that runs. */
import { useEffect, useRef, useState } from "preact/hooks";
import { agents } from "../../agents.ts";
import { Button } from "../../ui/button.tsx";

interface Props {
  readonly threadId: string;
  /** What the thread spoke with last, or what the link asks for. */
  readonly preferredAgent: string | null;
  readonly isRunning: boolean;
  readonly isStopping: boolean;
  readonly onSend: (agentId: string, message: string) => void;
  readonly onStop: () => void;
}

const MAX_HEIGHT_PX = 240;

export function Composer({ threadId, preferredAgent, isRunning, isStopping, onSend, onStop }: Props) {
  const [text, setText] = useState("");
  const [agentId, chooseAgent] = useAgent(preferredAgent);
  const field = useRef<HTMLTextAreaElement>(null);
  const canSend = text.trim() !== "" && agentId !== undefined && !isRunning;
  // With a finger the focus would open the keyboard over what is to be read.
  useEffect(() => void (matchMedia("(pointer: fine)").matches && field.current?.focus()), [threadId]);
  useEffect(() => fit(field.current), [text]);

  const send = () => {
    if (!canSend) return;
    onSend(agentId, text);
    setText("");
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    send();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // While an input method composes, Enter chooses a character.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form class="composer" aria-label="Message" onSubmit={onSubmit}>
      <textarea
        ref={field}
        class="composer-text"
        rows={1}
        aria-label="Your message"
        placeholder="Ask something"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <div class="composer-bar">
        <AgentChoice agentId={agentId} onChange={chooseAgent} />
        <span class="composer-hint">Enter sends, Shift+Enter begins a line</span>
        {!isRunning && (
          <Button kind="primary" type="submit" disabled={!canSend}>
            Send
          </Button>
        )}
        {isRunning && (
          <Button onClick={onStop} busy={isStopping}>
            {isStopping ? "Stopping…" : "Stop"}
          </Button>
        )}
      </div>
    </form>
  );
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
