/** Copies a text and says that it did. */
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

/** The clipboard exists only on https and localhost; an old page on plain http gets an error it can show. */
async function copyText(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}
