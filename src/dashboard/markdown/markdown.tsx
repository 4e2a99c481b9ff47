/** A message in Markdown, finished or still growing. The one way that a model's words come onto the page. */
import "./markdown.css";
import type { Token } from "marked";
import { useMemo, useRef } from "preact/hooks";
import { lex, LiveLexer, type Lexed } from "./lex.ts";
import { renderBlock } from "./render.tsx";

export interface MarkdownProps {
  readonly text: string;
  /** Nothing more comes: it is read as a whole once, so that a link may name what is defined below it. */
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

/** A block that did not change keeps its elements, and is not even compared. */
function Block({ token }: { token: Token }) {
  return useMemo(() => <>{renderBlock(token)}</>, [token]);
}
