/** The items of a run, in order. Each is rendered again only when it changed, however long the run is. */
import { useMemo } from "preact/hooks";
import { duration } from "../format.ts";
import { Markdown } from "../markdown/markdown.tsx";
import type { AttemptItem, GapItem, Item, ReasoningItem, TextItem } from "./items.ts";
import { ToolCall } from "./tool-call.tsx";

interface Props {
  readonly items: readonly Item[];
  /** The page of a run shows what does not count, struck out, and its tool calls open; a chat does not. */
  readonly isDetailed: boolean;
}

export function RunItems({ items, isDetailed }: Props) {
  return (
    <ol class="items">
      {items.map((item) => (
        <Row key={item.key} item={item} version={item.version} isDetailed={isDetailed} />
      ))}
    </ol>
  );
}

function Row({ item, version, isDetailed }: { item: Item; version: number; isDetailed: boolean }) {
  // The item is changed in place; its version is what says so.
  return useMemo(() => {
    const isVoid = "isVoid" in item && item.isVoid;
    if (isVoid && !isDetailed) return null;
    return (
      <li class={isVoid ? "item item-void" : "item"}>
        {isVoid && <p class="item-note">Void: the next attempt said it again.</p>}
        {show(item, isDetailed)}
      </li>
    );
  }, [item, version, isDetailed]);
}

function show(item: Item, isDetailed: boolean) {
  switch (item.kind) {
    case "text":
      return <Text item={item} />;
    case "reasoning":
      return <Reasoning item={item} />;
    case "tool":
      return <ToolCall tool={item} isOpen={isDetailed} />;
    case "attempt":
      return <Attempt item={item} isDetailed={isDetailed} />;
    case "gap":
      return <Gap item={item} />;
    case "parked":
      return <p class="item-event">Parked{item.reason && `: ${item.reason}`}</p>;
    default:
      return null;
  }
}

function Text({ item }: { item: TextItem }) {
  if (item.text === "") return null;
  return (
    <div class={item.isOpen ? "item-text item-growing" : "item-text"}>
      <Markdown text={item.text} isDone={!item.isOpen} />
    </div>
  );
}

function Reasoning({ item }: { item: ReasoningItem }) {
  const title = item.endedAt === null ? "Thinking…" : `Thought for ${duration(item.endedAt - item.at)}`;
  return (
    <details class="thought">
      <summary>{title}</summary>
      <p>{item.text || "The thoughts are not shown by this model."}</p>
    </details>
  );
}

function Attempt({ item, isDetailed }: { item: AttemptItem; isDetailed: boolean }) {
  const { of, attempt, reason, waitMs, voided } = item;
  const what = of === "run" ? `Taken over, attempt ${attempt}` : `Model call again, attempt ${attempt}`;
  return (
    <p class="item-event item-attempt">
      <strong>{what}</strong>: {reason}
      {waitMs !== null && `; waits ${duration(waitMs)}`}
      {voided > 0 &&
        `; ${isDetailed ? `${voided === 1 ? "one item" : `${voided} items`} above void` : "it begins anew"}`}
    </p>
  );
}

function Gap({ item }: { item: GapItem }) {
  return (
    <p class="item-event">
      Events {item.after + 1} to {item.next - 1} are not stored any more.
    </p>
  );
}
