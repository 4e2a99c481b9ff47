/** A message in Markdown, finished or still growing. All words of a model come onto the page through this component. */
import "./markdown.css";
import type { Token } from "marked";
import { useMemo, useRef } from "preact/hooks";
import { lex, LiveLexer, type Lexed } from "./lex.ts";
import { renderBlock } from "./render.tsx";

export interface MarkdownProps {
  readonly text: string;
  /** The message is complete: it is lexed once as a whole, so that a link may use a definition below it. */
  readonly isDone: boolean;
}

export function Markdown({ text, isDone }: MarkdownProps) {
  const live = useRef<LiveLexer | null>(null);
  const whole = useMemo<Lexed | null>(
    () => (isDone ? { tokens: lex(text), rest: "" } : null),
    [isDone, isDone && text],
  );
  const { tokens, rest } = whole ?? (live.current ??= new LiveLexer()).update(text, performance.now());
  return (
    <div class="md">
      {tokens.map((token, index) => (
        <Block key={index} token={token} />
      ))}
      {rest !== "" && (
        <p class="md-rest" dir="auto">
          {rest}
        </p>
      )}
    </div>
  );
}

/** An unchanged block keeps its elements, and Preact does not compare it. */
function Block({ token }: { token: Token }) {
  return useMemo(() => <>{renderBlock(token)}</>, [token]);
}
