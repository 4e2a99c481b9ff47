/** Tells when an element comes into view and leaves it, without listening to every scroll. */
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Options {
  /** How far outside of the window still counts as in view, in pixels. */
  readonly marginPx?: number;
  /** A change of this value causes a new report. */
  readonly again?: unknown;
}

/** @returns the ref of the element to watch */
export function useVisible<T extends Element = never>(
  onChange: (isVisible: boolean) => void,
  { marginPx = 0, again }: Options = {},
): RefObject<T | null> {
  const element = useRef<T>(null);
  const told = useRef(onChange);
  told.current = onChange;
  useEffect(() => {
    if (!element.current) return undefined;
    const observer = new IntersectionObserver((entries) => told.current(entries.at(-1)?.isIntersecting === true), {
      rootMargin: `${marginPx}px 0px`,
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [again, marginPx]);
  return element;
}
