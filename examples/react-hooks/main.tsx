/** A chat page with `useThread`: messages, tools and the answer under way, live in every tab that has the thread open. */
import { Evenkeel } from "evenkeel/client";
import { useThread, type RunPart } from "evenkeel/react";
import { useState, type FormEvent } from "react";
import { createRoot } from "react-dom/client";

// A client of the page's own origin. With keys: new Evenkeel({ apiKey }), or a token of your identity provider.
const client = new Evenkeel();
const threadId = new URLSearchParams(location.search).get("thread") ?? crypto.randomUUID();
history.replaceState(null, "", `?thread=${threadId}`);

function Part({ part }: { readonly part: RunPart }) {
  if (part.type === "text") return <p>{part.text}</p>;
  if (part.type === "reasoning") return <small>{part.text}</small>;
  return (
    <pre>
      {part.name} {part.input} {part.result ?? "…"}
    </pre>
  );
}

function Chat() {
  const [text, setText] = useState("");
  const { messages, current, failure, send, cancel } = useThread({ client, threadId, agentId: "assistant" });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void send(text);
    setText("");
  };
  return (
    <main>
      {messages.map(({ role, content, at }, index) => (
        <article key={index} data-role={role} title={new Date(at).toLocaleString()}>
          {typeof content === "string"
            ? content
            : content.map((block, place) => (block.type === "text" ? <p key={place}>{block.text}</p> : null))}
        </article>
      ))}
      {current && (
        <article data-role="under way">
          <p>{typeof current.asked === "string" ? current.asked : "…"}</p>
          {current.run.parts.map((part, index) => (
            <Part key={index} part={part} />
          ))}
          <button onClick={() => void cancel()}>Stop</button>
        </article>
      )}
      {failure && <p role="alert">{failure.message}</p>}
      <form onSubmit={submit}>
        <input value={text} onChange={(event) => setText(event.target.value)} aria-label="Message" />
        <button disabled={text === ""}>Send</button>
      </form>
    </main>
  );
}

const root = document.querySelector("#root");
if (root) createRoot(root).render(<Chat />);
