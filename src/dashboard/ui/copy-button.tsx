/** Copies a text and confirms it. */
import { useEffect, useState } from "preact/hooks";
import { Button } from "./button.tsx";

const SAID_FOR_MS = 1_500;

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return undefined;
    const timer = setTimeout(() => setSaid(null), SAID_FOR_MS);
    return () => clearTimeout(timer);
  }, [said]);

  const copy = () => {
    copyText(text).then(
      () => setSaid("Copied"),
      () => setSaid("Not copied"),
    );
  };
  return (
    <Button kind="quiet" onClick={copy} title={`${label} ${text.length > 80 ? "the text" : text}`}>
      <span aria-live="polite">{said ?? label}</span>
    </Button>
  );
}

async function copyText(text: string): Promise<void> {
  // TypeScript assumes that `navigator.clipboard` always exists, but a page served over http:// has none.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard) await clipboard.writeText(text);
  else copySelection(text);
}

/** Copies a selection by a command, for pages without a secure context. */
function copySelection(text: string): void {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "visually-hidden";
  field.value = text;
  // Inside a modal dialog nothing outside of it can be selected.
  (focused?.closest("dialog") ?? document.body).append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  if (!isCopied) throw new Error("The browser does not let this page copy.");
}
