/** Shown when the server wants an API key. The key becomes a cookie; see store/session.ts. */
import "./key-form.css";
import { useEffect, useRef, useState } from "preact/hooks";
import { isSignedIn, isUsable } from "../live/key.ts";
import { signIn } from "../store/session.ts";
import { Button } from "../ui/button.tsx";
import { Brand } from "./navigation.tsx";

export function KeyForm() {
  const [text, setText] = useState("");
  const [remember, setRemember] = useState(true);
  const [busy, setBusy] = useState(false);
  // Explain a session that is suddenly refused: it is over, or its key was removed.
  const [problem, setProblem] = useState(isSignedIn.value ? "The session has ended. Sign in again." : "");

  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = async () => {
    setBusy(true);
    setProblem(await tryKey(text.trim(), remember));
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
          One of the secrets in its <code>API_KEYS</code>. This browser keeps a cookie in its place.
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
        <Remember value={remember} onChange={setRemember} />
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

function Remember({ value, onChange }: { value: boolean; onChange: (value: boolean) => void }) {
  return (
    <label>
      <input type="checkbox" checked={value} onChange={() => onChange(!value)} /> Stay signed in when this browser is
      closed
    </label>
  );
}

/** @returns the problem, if there is one */
async function tryKey(key: string, remember: boolean): Promise<string> {
  if (!isUsable(key)) return "A key has only letters, digits and signs of ASCII, and no spaces.";
  return signIn(key, remember);
}
