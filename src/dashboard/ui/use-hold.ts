/** Whether a reader works in a list, so that its rows must stay in place. */
import { useEffect, useRef } from "preact/hooks";
import { useVisible } from "./use-visible.ts";

interface Hold {
  /** The ref for an element right above the list: the list is held while that element is out of view. */
  readonly top: ReturnType<typeof useVisible<HTMLDivElement>>;
  /** For the list itself. */
  readonly area: {
    readonly onPointerEnter: () => void;
    readonly onPointerLeave: () => void;
    readonly onFocusIn: () => void;
    readonly onFocusOut: (event: FocusEvent) => void;
  };
}

/** The list: `hold` is called at first, and at each change. */
interface Holdable {
  hold(isHolding: boolean): void;
}

/** @param also another reason to hold */
export function useHold(list: Holdable, also: boolean): Hold {
  // Hold the list until the observer has its first result, because a returning reader may be further down.
  const reasons = useRef({ pointer: false, focus: false, isBelow: true, also });
  const set = (part: Partial<typeof reasons.current>) => {
    Object.assign(reasons.current, part);
    list.hold(Object.values(reasons.current).some(Boolean));
  };
  useEffect(() => set({ also }), [also, list]);
  const top = useVisible<HTMLDivElement>((isVisible) => set({ isBelow: !isVisible }));
  return {
    top,
    area: {
      onPointerEnter: () => set({ pointer: true }),
      onPointerLeave: () => set({ pointer: false }),
      onFocusIn: () => set({ focus: true }),
      onFocusOut: ({ currentTarget, relatedTarget }) =>
        set({ focus: (currentTarget as Element).contains(relatedTarget as Node | null) }),
    },
  };
}
