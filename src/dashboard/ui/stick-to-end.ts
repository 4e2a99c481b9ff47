/**
 * Keeps the end of a growing page in view for a reader who is there, and leaves alone one who has scrolled up.
 * Watches the size of the content, so that nobody has to say when it grew.
 */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Closer to the end than this is at the end: a wheel notch moves further. */
const NEAR_PX = 24;

/** @param again another content: begin at its end @returns the ref of the content */
export function useStickToEnd<T extends Element>(again: unknown): RefObject<T | null> {
  const content = useRef<T>(null);
  useEffect(() => {
    if (!content.current) return undefined;
    const page = document.documentElement;
    let isStuck = true;
    let lastTop = scrollY;
    const onScroll = () => {
      const isAtEnd = page.scrollHeight - innerHeight - scrollY < NEAR_PX;
      // Only a move upwards lets go: content that grows moves the end away too.
      if (isAtEnd) isStuck = true;
      else if (scrollY < lastTop) isStuck = false;
      lastTop = scrollY;
    };
    const observer = new ResizeObserver(() => {
      if (isStuck) scrollTo({ top: page.scrollHeight, behavior: "instant" });
    });
    observer.observe(content.current);
    addEventListener("scroll", onScroll, { passive: true });
    return () => {
      observer.disconnect();
      removeEventListener("scroll", onScroll);
    };
  }, [again]);
  return content;
}
