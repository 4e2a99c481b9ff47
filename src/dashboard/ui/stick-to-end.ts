/**
 * Keeps the end of a growing page in view for a reader who is at the end, and does not move the page for a reader who
 * has scrolled up or unfolds something. It watches the size of the content, so callers need not report growth.
 */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** A reader closer to the end than this is at the end; one notch of a mouse wheel moves further. */
const NEAR_PX = 24;
/**
 * Elements that open and close at a click. Toggle events are no use: they come after the resize, and also without a
 * click.
 */
const FOLDS = "summary, [aria-expanded]";

export interface Content {
  /** Called each time. "empty": the content has no end to stay at. */
  readonly state: () => "empty" | "growing" | "still";
  /** New content: begin at its end. */
  readonly key: unknown;
}

interface StuckContent<T extends Element> {
  readonly content: RefObject<T | null>;
  /** Scrolls to the end and stays there, wherever the reader was. */
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
    // Set the state here and not in the scroll event: when that event comes, the content may have grown again.
    isStuck = true;
    isUnfolding = false;
    scrollToEnd();
  };
  const onScroll = () => {
    // Only a scroll upwards releases the end, because growing content also moves the end away.
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
