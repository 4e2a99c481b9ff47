/** Asks before what cannot be undone. A modal dialog of the browser: it holds the focus, and Escape means no. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "./button.tsx";

interface Props {
  readonly title: string;
  readonly children?: ComponentChildren;
  /** The word on the button that does it. */
  readonly verb: string;
  readonly onYes: () => void;
  readonly onNo: () => void;
}

export function Ask({ title, children, verb, onYes, onNo }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="ask" aria-labelledby="ask-title" onClose={onNo}>
      <h2 id="ask-title">{title}</h2>
      {children}
      <div class="ask-actions">
        <Button onClick={onNo}>Keep</Button>
        <Button kind="danger" onClick={onYes}>
          {verb}
        </Button>
      </div>
    </dialog>
  );
}
