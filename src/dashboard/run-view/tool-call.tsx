/** One tool call: its arguments, its result, and its duration. Open on the page of a run, closed in a chat. */
import "./tool-call.css";
import { timeBetween } from "../ui/format.ts";
import { Folded } from "../ui/folded.tsx";
import { FileView } from "./file-view.tsx";
import type { ToolItem, ToolState } from "./items.ts";
import { indentJson } from "./json-text.ts";

const STATES: Record<ToolState, { readonly word: string; readonly tone: string }> = {
  writing: { word: "writing arguments", tone: "busy" },
  ready: { word: "ready", tone: "idle" },
  running: { word: "running", tone: "busy" },
  parked: { word: "parked", tone: "warn" },
  done: { word: "done", tone: "ok" },
  failed: { word: "failed", tone: "bad" },
  interrupted: { word: "interrupted", tone: "warn" },
};

const PREVIEW_CHARACTERS = 90;

export type ShownTool = Pick<
  ToolItem,
  "name" | "args" | "state" | "result" | "files" | "startedAt" | "endedAt" | "progress" | "output"
>;

export function ToolCall({ tool, isOpen }: { tool: ShownTool; isOpen: boolean }) {
  const { name, args, state, result, files, startedAt, endedAt, output } = tool;
  const { word, tone } = STATES[state];
  return (
    <details class="tool" open={isOpen}>
      <summary>
        <span class="tool-name">{name}</span>
        <span class="tool-args">{args.slice(0, PREVIEW_CHARACTERS)}</span>
        {startedAt !== null && endedAt !== null && <span class="num">{timeBetween(startedAt, endedAt)}</span>}
        {state === "running" && <Progress of={tool} />}
        <span class={`badge tone-${tone}`}>{word}</span>
      </summary>
      <div class="tool-body">
        <Folded label="Arguments" text={indentJson(args) || "none"} />
        {output !== null && output !== "" && <Folded label="Output" text={output} />}
        {result !== null && <Folded label={state === "failed" ? "Error" : "Result"} text={indentJson(result)} />}
        {files.map((file, index) => (
          <FileView key={index} file={file} />
        ))}
      </div>
    </details>
  );
}

function Progress({ of: { name, progress } }: { of: ShownTool }) {
  if (progress === null) return null;
  if (typeof progress === "string") return <span class="tool-progress">{progress}</span>;
  return <progress class="tool-progress" aria-label={`${name}: progress`} value={progress} />;
}
