/** Views of runs for tests, and what is in them. */
import type { Item, ToolItem } from "./items.ts";
import { RunView } from "./run-view.ts";
import type { WireEvent } from "./wire-event.ts";

export function viewOf(events: readonly WireEvent[]): RunView {
  const view = new RunView();
  for (const event of events) view.apply(event);
  return view;
}

export const kinds = (view: RunView) => view.items.map(({ kind }) => kind);
export const only = <K extends Item["kind"]>(view: RunView, kind: K) =>
  view.items.filter((item): item is Extract<Item, { kind: K }> => item.kind === kind);
export const toolOf = (view: RunView): ToolItem | undefined => only(view, "tool")[0];
