/**
 * Keeps the end of a growing page in view for a reader who is there, and leaves alone one who has scrolled up or
 * unfolds something. Watches the size of the content, so that nobody has to say when it grew.
 */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Closer to the end than this is at the end: a wheel notch moves further. */
const NEAR_PX = 24;
/** What opens and closes. Toggle events come too late, behind the resize, and for what was never clicked as well. */
const FOLDS = "summary, [aria-expanded]";

export interface Content {
  /** Asked anew each time. "empty": nothing that has an end to stay at. */
  readonly state: () => "empty" | "growing" | "still";
  /** Another content: begin at its end. */
  readonly key: unknown;
}

/** @returns the ref of the content */
export function useStickToEnd<T extends Element>({ state, key }: Content): RefObject<T | null> {
  const content = useRef<T>(null);
  useEffect(() => (content.current ? stickToEnd(content.current, state) : undefined), [key]);
  return content;
}

function stickToEnd(content: Element, state: Content["state"]): () => void {
  const page = document.documentElement;
  const belowPx = () => page.scrollHeight - innerHeight - scrollY;
  let isStuck = true;
  let isUnfolding = false;
  let lastTop = scrollY;
  const onScroll = () => {
    // Only a move upwards lets go: content that grows moves the end away too.
    if (belowPx() < NEAR_PX) isStuck = true;
    else if (scrollY < lastTop) isStuck = false;
    lastTop = scrollY;
  };
  const onClick = ({ target }: Event) => {
    if (state() === "still" && target instanceof Element && target.closest(FOLDS)) isUnfolding = true;
  };
  const observer = new ResizeObserver(() => {
    // Who opened something wants to read it, not what is below it.
    if (isUnfolding) isStuck = belowPx() < 1;
    else if (isStuck && state() !== "empty") scrollTo({ top: page.scrollHeight, behavior: "instant" });
    isUnfolding = false;
  });
  observer.observe(content);
  content.addEventListener("click", onClick, { capture: true });
  addEventListener("scroll", onScroll, { passive: true });
  return () => {
    observer.disconnect();
    content.removeEventListener("click", onClick, { capture: true });
    removeEventListener("scroll", onScroll);
  };
}
