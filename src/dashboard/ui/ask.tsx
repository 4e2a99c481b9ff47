/**
 * Asks before an action that cannot be undone. A modal dialog of the browser: it holds the focus, and Escape means no.
 */
import "./ask.css";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "./button.tsx";

interface Props {
  readonly title: string;
  readonly children?: ComponentChildren;
  /** The text of the button that confirms. */
  readonly verb: string;
  readonly onYes: () => void;
  readonly onNo: () => void;
}

const YES = "yes";

export function Ask({ title, children, verb, onYes, onNo }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  // Close the dialog before it is removed, so that the focus returns to its place.
  const close = (answer: string) => dialog.current?.close(answer);
  const onClose = () => (dialog.current?.returnValue === YES ? onYes() : onNo());
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="ask" aria-labelledby="ask-title" onClose={onClose}>
      <h2 id="ask-title">{title}</h2>
      {children}
      <div class="ask-actions">
        <Button onClick={() => close("")}>Keep</Button>
        <Button kind="danger" onClick={() => close(YES)}>
          {verb}
        </Button>
      </div>
    </dialog>
  );
}
