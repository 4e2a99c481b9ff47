/** Shown when the server wants an API key. See live/key.ts for where the key is kept, and why there. */
import "./key-form.css";
import { useEffect, useRef, useState } from "preact/hooks";
import { loadAgents } from "../store/agents.ts";
import { loadInfo } from "../store/info.ts";
import { isUsable, keepSecret, locked, secret } from "../live/key.ts";
import { reconnect } from "../live/live.ts";
import { Button } from "../ui/button.tsx";
import { Brand } from "./navigation.tsx";

export function KeyForm() {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  // A key that is kept already and refused is worth a word: it was changed, or mistyped.
  const [problem, setProblem] = useState(
    secret() === null ? "" : "The server does not know the key this browser kept.",
  );

  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = async () => {
    setBusy(true);
    setProblem(await tryKey(text.trim()));
    setBusy(false);
  };
  return (
    <main class="key-page">
      <form
        class="key-form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <Brand />
        <h1>This server needs an API key</h1>
        <p>
          One of the secrets in its <code>API_KEYS</code>. It stays in this browser.
        </p>
        <label class="field">
          <span>API key</span>
          <input
            ref={field}
            type="password"
            autocomplete="current-password"
            required
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
            aria-invalid={problem !== ""}
            aria-describedby="key-problem"
          />
        </label>
        <p class="field-problem" id="key-problem" role="alert">
          {problem}
        </p>
        <Button kind="primary" type="submit" busy={busy} disabled={text.trim() === ""}>
          Open the dashboard
        </Button>
      </form>
    </main>
  );
}

/** Kept only when the server knows it. @returns what is wrong, or nothing */
async function tryKey(key: string): Promise<string> {
  if (!isUsable(key)) return "A key has only letters, digits and signs of ASCII, and no spaces.";
  const error = await loadAgents(key);
  if (error?.code === "UNAUTHORIZED") return "The server does not know this key.";
  if (error) return error.detail;
  if (!keepSecret(key)) return "This browser does not let the page keep the key. Allow site data for it.";
  reconnect();
  locked.value = false;
  void loadInfo();
  return "";
}
