/** A block of code with its language and a button that copies it. */
import { CopyButton } from "../ui/copy-button.tsx";

export function CodeBlock({ text, lang }: { text: string; lang: string }) {
  return (
    <figure class="md-code">
      <figcaption class="md-code-bar">
        <span>{lang || "text"}</span>
        <CopyButton text={text} />
      </figcaption>
      {/* The block is focusable, so that the keyboard can scroll it. */}
      <pre dir="ltr" tabIndex={0} role="group" aria-label={lang ? `Code, ${lang}` : "Code"}>
        <code>{text}</code>
      </pre>
    </figure>
  );
}
