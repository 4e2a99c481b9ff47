/** The items of a run, in order. Each is rendered again only when it changed, however long the run is. */
import "./run-items.css";
import { useMemo } from "preact/hooks";
import { MAX_DELEGATION_DEPTH } from "../../core/run.ts";
import { count, duration } from "../ui/format.ts";
import { Markdown } from "../markdown/markdown.tsx";
import { DelegatedRun } from "./delegated-run.tsx";
import type { AttemptItem, CompactedItem, GapItem, Item, ReasoningItem, TextItem, ToolItem } from "./items.ts";
import { Sources } from "./sources.tsx";
import { ToolCall } from "./tool-call.tsx";

interface Props {
  readonly items: readonly Item[];
  /** The page of a run shows void items struck out, and its first tool calls open; a chat does neither. */
  readonly isDetailed: boolean;
  /** Depth of delegation below the run of this page. */
  readonly depth?: number;
}

/**
 * Number of tool calls that are open at first on the page of a run. More open calls would hide the answer of a long
 * run.
 */
const OPEN_TOOLS = 3;
/** How many delegated runs of one call are unfolded at first. */
const OPEN_DELEGATED = 3;

export function RunItems({ items, isDetailed, depth = 0 }: Props) {
  let tools = 0;
  return (
    <ol class="items">
      {items.map((item) => {
        if (item.kind === "tool") tools += 1;
        const isOpen = isDetailed && tools <= OPEN_TOOLS;
        return <Row key={item.key} {...{ item, version: item.version, isDetailed, isOpen, depth }} />;
      })}
    </ol>
  );
}

interface RowProps {
  readonly item: Item;
  readonly version: number;
  readonly isDetailed: boolean;
  /** A tool call is unfolded at first. */
  readonly isOpen: boolean;
  readonly depth: number;
}

function Row(props: RowProps) {
  const { item, version, isDetailed, isOpen, depth } = props;
  // The item is changed in place; only its version shows the change.
  return useMemo(() => {
    const isVoid = "isVoid" in item && item.isVoid;
    if (isVoid && !isDetailed) return null;
    return (
      <li class={isVoid ? "item item-void" : "item"}>
        {isVoid && <p class="item-note">Void: the next attempt said it again.</p>}
        {show(props)}
      </li>
    );
  }, [item, version, isDetailed, isOpen, depth]);
}

function show({ item, isDetailed, isOpen, depth }: RowProps) {
  switch (item.kind) {
    case "text":
      return <Text item={item} />;
    case "reasoning":
      return <Reasoning item={item} />;
    case "tool":
      return <Tool tool={item} isOpen={isOpen} depth={depth} />;
    case "attempt":
      return <Attempt item={item} isDetailed={isDetailed} />;
    case "gap":
      return <Gap item={item} />;
    case "parked":
      return <p class="item-event">Parked{item.reason && `: ${item.reason}`}</p>;
    case "compacted":
      return <Compacted item={item} />;
    default:
      return null;
  }
}

function Tool({ tool, isOpen, depth }: { tool: ToolItem } & Pick<RowProps, "isOpen" | "depth">) {
  const { delegated } = tool;
  return (
    <>
      {/* The result of a delegated call is shown by its run. */}
      <ToolCall tool={tool} isOpen={isOpen && delegated.length === 0} />
      {depth < MAX_DELEGATION_DEPTH &&
        delegated.map((to, index) => (
          <DelegatedRun
            key={to.runId}
            to={to}
            isOpenAtFirst={isOpen && index < OPEN_DELEGATED}
            show={(items) => <RunItems items={items} isDetailed={false} depth={depth + 1} />}
          />
        ))}
    </>
  );
}

function Text({ item }: { item: TextItem }) {
  if (item.text === "") return null;
  return (
    <div class={item.isOpen ? "item-text item-growing" : "item-text"}>
      <Markdown text={item.text} isDone={!item.isOpen} />
      <Sources citations={item.citations} />
    </div>
  );
}

function Reasoning({ item }: { item: ReasoningItem }) {
  const title = item.endedAt === null ? "Thinking…" : `Thought for ${duration(item.endedAt - item.at)}`;
  return (
    <details class="thought">
      <summary>{title}</summary>
      <p dir="auto">{item.text || "The thoughts are not shown by this model."}</p>
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

function Compacted({ item }: { item: CompactedItem }) {
  const { clearedResults, summarizedMessages, tokensBefore, tokensAfter } = item;
  const did = [
    clearedResults > 0 && `${count(clearedResults)} old tool results left out`,
    summarizedMessages > 0 && `${count(summarizedMessages)} messages summarized`,
  ];
  return (
    <p class="item-event">
      The model gets this conversation shorter from here on: {did.filter(Boolean).join(", ")}; about{" "}
      {count(tokensBefore)} → {count(tokensAfter)} tokens. Nothing is missing here.
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
