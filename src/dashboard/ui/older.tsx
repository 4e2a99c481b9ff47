/** The end of a list that is read page by page: it loads the next page as soon as it comes near the window. */
import "./older.css";
import type { ReadonlySignal } from "@preact/signals";
import type { Problem } from "../live/api-error.ts";
import { ErrorNote } from "./error-note.tsx";
import { useVisible } from "./use-visible.ts";

interface PagedList {
  readonly rows: ReadonlySignal<readonly unknown[] | null>;
  /** Cursor of the next page; null at the end. A page with a cursor may be short or empty. */
  readonly next: ReadonlySignal<number | null>;
  readonly olderError: ReadonlySignal<Problem | null>;
  readonly isFull: boolean;
  loadOlder(): void;
}

interface Props {
  readonly list: PagedList;
  /** Where a full list goes on. */
  readonly hrefOf: (before: number) => string;
}

export function Older({ list, hrefOf }: Props) {
  const next = list.next.value;
  // Observe again for each page: after a page that is shorter than the window, the end is still in sight.
  const end = useVisible((isVisible) => isVisible && list.loadOlder(), { marginPx: 500, again: next });
  const shown = list.rows.value?.length;
  if (shown === undefined || (shown === 0 && next === null)) return null;
  if (next === null) return <p class="older">That is all.</p>;
  if (list.olderError.value) return <ErrorNote error={list.olderError.value} onRetry={() => list.loadOlder()} />;
  if (!list.isFull) {
    return (
      <p ref={end} class="older" role="status">
        Loading older ones…
      </p>
    );
  }
  return (
    <p class="older">
      {shown} are shown. <a href={hrefOf(next)}>Older ones</a>
    </p>
  );
}
