/** Text that may be long: its beginning, and a button for all of it. */
import "./folded.css";
import { useState } from "preact/hooks";
import { count } from "./format.ts";
import { Button } from "./button.tsx";
import { showHidden } from "./show-hidden.ts";
import { CopyButton } from "./copy-button.tsx";

const SHOWN_LINES = 16;
const SHOWN_CHARACTERS = 2_000;

export function Folded({ label, text: given }: { label: string; text: string }) {
  const text = showHidden(given);
  const [isOpen, setOpen] = useState(false);
  const beginning = beginningOf(text);
  const isLong = beginning.length < text.length;
  return (
    <div>
      <div class="folded-bar">
        <span>{label}</span>
        {isLong && (
          <Button kind="quiet" expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? "Show less" : `Show all ${count(text.length)} characters`}
          </Button>
        )}
        <CopyButton text={text} />
      </div>
      <pre
        dir="ltr"
        tabIndex={0}
        role="group"
        aria-label={label}
        class={isOpen || !isLong ? "folded-text" : "folded-text folded-cut"}
      >
        {isOpen ? text : beginning}
      </pre>
    </div>
  );
}

function beginningOf(text: string): string {
  const cut = text.slice(0, SHOWN_CHARACTERS);
  let end = -1;
  for (let line = 0; line < SHOWN_LINES; line += 1) {
    end = cut.indexOf("\n", end + 1);
    if (end < 0) return cut;
  }
  return cut.slice(0, end);
}
