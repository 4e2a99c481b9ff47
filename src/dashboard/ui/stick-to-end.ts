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

interface StuckContent<T extends Element> {
  readonly content: RefObject<T | null>;
  /** Goes to the end and stays there, wherever the reader was. */
  readonly toEnd: () => void;
}

export function useStickToEnd<T extends Element>({ state, key }: Content): StuckContent<T> {
  const content = useRef<T>(null);
  const stuck = useRef<Stuck | null>(null);
  useEffect(() => {
    if (!content.current) return undefined;
    stuck.current = stickToEnd(content.current, state);
    return stuck.current.stop;
  }, [key]);
  return { content, toEnd: () => stuck.current?.toEnd() };
}

interface Stuck {
  readonly toEnd: () => void;
  readonly stop: () => void;
}

function stickToEnd(content: Element, state: Content["state"]): Stuck {
  const page = document.documentElement;
  const belowPx = () => page.scrollHeight - innerHeight - scrollY;
  let isStuck = true;
  let isUnfolding = false;
  let lastTop = scrollY;
  const scrollToEnd = () => scrollTo({ top: page.scrollHeight, behavior: "instant" });
  const toEnd = () => {
    // Not left to the scroll event: when that comes, the content may have grown away from the end again.
    isStuck = true;
    isUnfolding = false;
    scrollToEnd();
  };
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
    // A reader who unfolds something wants to read that, not the end of the page.
    if (isUnfolding) isStuck = belowPx() < 1;
    else if (isStuck && state() !== "empty") scrollToEnd();
    isUnfolding = false;
  });
  observer.observe(content);
  content.addEventListener("click", onClick, { capture: true });
  addEventListener("scroll", onScroll, { passive: true });
  const stop = () => {
    observer.disconnect();
    content.removeEventListener("click", onClick, { capture: true });
    removeEventListener("scroll", onScroll);
  };
  return { toEnd, stop };
}
