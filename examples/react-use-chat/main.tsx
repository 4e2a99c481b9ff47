/** A chat page with the AI SDK's `useChat` and its default transport. evenkeel answers `POST /api/chat` as it is. */
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage } from "ai";
import { useState } from "react";
import { createRoot } from "react-dom/client";

// The id of the chat is the id of the thread: everybody who opens the page with this id sees the answer under way.
const id = new URLSearchParams(location.search).get("chat") ?? crypto.randomUUID();
history.replaceState(null, "", `?chat=${id}`);

// What the chat has so far; `resume` adds the answer under way.
const { messages: initial } = (await (await fetch(`/api/chat/${id}/messages`)).json()) as { messages: UIMessage[] };

const transport = new DefaultChatTransport<UIMessage>({
  api: "/api/chat?agent=assistant",
  // The server has the others already. A request with the whole chat may become larger than a body may be.
  prepareSendMessagesRequest: ({ id, messages, trigger, messageId }) => ({
    body: { id, message: messages.at(-1), trigger, messageId },
  }),
});

function Chat() {
  const [text, setText] = useState("");
  const { messages, sendMessage, status, error } = useChat({
    id,
    messages: initial,
    resume: true,
    transport,
  });
  const send = (event: React.FormEvent) => {
    event.preventDefault();
    void sendMessage({ text });
    setText("");
  };
  return (
    <main>
      {messages.map((message) => (
        <article key={message.id} data-role={message.role}>
          {message.parts.map((part, index) => {
            if (part.type === "text") return <p key={index}>{part.text}</p>;
            if (part.type === "dynamic-tool")
              return (
                <pre key={index}>
                  {part.toolName} {JSON.stringify(part.input)} {part.state}
                </pre>
              );
            return null;
          })}
        </article>
      ))}
      {error && <p role="alert">{error.message}</p>}
      <form onSubmit={send}>
        <input value={text} onChange={(event) => setText(event.target.value)} aria-label="Message" />
        <button disabled={(status !== "ready" && status !== "error") || text === ""}>Send</button>
      </form>
      <p data-status>{status}</p>
    </main>
  );
}

const root = document.querySelector("#root");
if (root) createRoot(root).render(<Chat />);
