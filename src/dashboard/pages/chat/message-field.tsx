/** The field of the composer: grows with its text, and sends by Enter. */
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

interface Props {
  readonly field: RefObject<HTMLTextAreaElement | null>;
  readonly text: string;
  readonly onInput: (text: string) => void;
  readonly onEnter: (event: Event) => void;
}

const MAX_HEIGHT_PX = 240;
/** Safari's key code for the Enter that ends a composition; `isComposing` is already false then. */
const COMPOSING_KEY = 229;

export function MessageField({ field, text, onInput, onEnter }: Props) {
  useEffect(() => fit(field.current), [text]);
  return (
    <textarea
      ref={field}
      class="composer-text"
      rows={1}
      dir={directionOf(text)}
      aria-label="Your message"
      placeholder="Ask something"
      value={text}
      onInput={(event) => onInput(event.currentTarget.value)}
      onKeyDown={(event) => isSendKey(event) && onEnter(event)}
    />
  );
}

/**
 * The writing direction of the first letter. [dir="auto" on a field that takes a megabyte blocked the page for over 15
 * s.]
 */
function directionOf(text: string): "ltr" | "rtl" {
  return /^\P{L}*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u.test(text.slice(0, 200)) ? "rtl" : "ltr";
}

/** While an input method composes, Enter chooses a character. */
function isSendKey({ key, keyCode, shiftKey, isComposing }: KeyboardEvent): boolean {
  return key === "Enter" && !shiftKey && !isComposing && keyCode !== COMPOSING_KEY;
}

/** Makes the field as high as its text, up to a bound. */
function fit(field: HTMLTextAreaElement | null): void {
  if (!field) return;
  field.style.height = "auto";
  field.style.height = `${Math.min(MAX_HEIGHT_PX, field.scrollHeight)}px`;
}
