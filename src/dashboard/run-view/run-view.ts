/**
 * A run as a person sees it, built from its journal one event at a time: items, status, attempts, usage, end.
 * Pure: no clock, no network. Each event costs the same, however long the run is. The view grows with the run, which
 * the server bounds (steps, tokens of an answer, characters of a tool's result).
 */
import { MODEL_STEP, toolCallOfStep } from "../../core/event.ts";
import { NO_USAGE, type RunStatus, type ShownStatus, type Usage } from "../../core/run.ts";
import { RunWaits } from "../../core/run-waits.ts";
import type {
  AttemptItem,
  CompactedItem,
  GapItem,
  Item,
  ParkedItem,
  ReasoningItem,
  TextItem,
  ToolItem,
  ToolState,
  VoidableItem,
} from "./items.ts";
import { endOf, usageOf, type RunEnd } from "./run-end.ts";
import { shownResult } from "./tool-result.ts";
import { CustomValue, type EventOf, type WireEvent } from "./wire-event.ts";

export interface Claimed {
  readonly attempt: number;
  readonly at: number;
}

export class RunView {
  readonly items: Item[] = [];
  /** One for each process that owned the run. */
  readonly claims: Claimed[] = [];
  agentId: string | null = null;
  /** How many runs waited in front of this one when it entered the queue. */
  ahead = 0;
  modelCalls = 0;
  usage: Usage = NO_USAGE;
  end: RunEnd | null = null;
  lastSeq = 0;
  lastAt = 0;
  // Calls by the id that later events name. An endpoint may give two calls the same id; later events then belong to the
  // newer call.
  readonly #byId = new Map<string, VoidableItem>();
  /** Tool calls that wait for delegated runs: at most as many as one answer of the model asked for. */
  readonly #parked = new Set<ToolItem>();
  readonly #waits = new RunWaits();
  #status: RunStatus | null = null;

  /** Null before the first event, while the state is unknown. */
  get status(): ShownStatus | null {
    return this.#status === "running" && this.#waits.wait ? "parked" : this.#status;
  }

  /** How many delegated runs it waits for. */
  get delegatedRuns(): number {
    return [...this.#parked].reduce((runs, { delegated }) => runs + delegated.length, 0);
  }

  /** Applies the next event; an event that was applied before changes nothing. */
  apply(event: WireEvent): void {
    const { seq, timestamp = this.lastAt } = event;
    if (seq !== undefined && seq <= this.lastSeq) return;
    if (seq !== undefined) this.lastSeq = seq;
    this.lastAt = timestamp;
    this.#waits.see(event);
    this.#see(event, timestamp);
    // After a gap the claim's event is gone, but any later event shows that the run was claimed.
    if (seq !== undefined) this.#status ??= "running";
  }

  #see(event: WireEvent, at: number): void {
    switch (event.type) {
      case "RUN_STARTED":
        this.#status = "queued";
        break;
      case "CUSTOM":
        this.#custom(event.name, new CustomValue(event.value), at);
        break;
      case "STEP_STARTED":
      case "STEP_FINISHED":
        this.#step(event, at);
        break;
      case "TEXT_MESSAGE_START":
      case "TEXT_MESSAGE_CONTENT":
      case "TEXT_MESSAGE_END":
      case "REASONING_START":
      case "REASONING_MESSAGE_CONTENT":
      case "REASONING_END":
        this.#message(event, at);
        break;
      case "TOOL_CALL_START":
      case "TOOL_CALL_ARGS":
      case "TOOL_CALL_END":
      case "TOOL_CALL_RESULT":
        this.#tool(event, at);
        break;
      case "RUN_FINISHED":
      case "RUN_ERROR":
        this.#finish(event, at);
        break;
      default:
        break;
    }
  }

  #message(
    event: EventOf<`TEXT_MESSAGE_${"START" | "CONTENT" | "END"}` | `REASONING_${"START" | "MESSAGE_CONTENT" | "END"}`>,
    at: number,
  ): void {
    const { type, messageId } = event;
    if (type === "TEXT_MESSAGE_START" || type === "REASONING_START") {
      const base = { key: this.#key(), at, version: 0, text: "", isOpen: true, isVoid: false };
      const item: TextItem | ReasoningItem =
        type === "REASONING_START"
          ? { ...base, kind: "reasoning", endedAt: null }
          : { ...base, kind: "text", citations: [] };
      return this.#add(messageId, item);
    }
    const item = this.#byId.get(messageId);
    if (item?.kind !== "text" && item?.kind !== "reasoning") return;
    if ("delta" in event) item.text += event.delta;
    else item.isOpen = false;
    if (item.kind === "reasoning" && !item.isOpen) item.endedAt = at;
    this.#touch(item);
  }

  #tool(event: EventOf<`TOOL_CALL_${"START" | "ARGS" | "END" | "RESULT"}`>, at: number): void {
    const { type, toolCallId } = event;
    if (type === "TOOL_CALL_START") {
      const call = { kind: "tool", name: event.toolCallName, args: "", state: "writing" } as const;
      const rest = { at, startedAt: null, endedAt: null, delegated: [], progress: null, output: null };
      this.#add(toolCallId, { ...call, ...rest, result: null, files: [], key: this.#key(), version: 0, isVoid: false });
      return;
    }
    const tool = this.#byId.get(toolCallId);
    if (tool?.kind !== "tool") return;
    if (type === "TOOL_CALL_ARGS") tool.args += event.delta;
    else if (type === "TOOL_CALL_END") tool.state = tool.state === "writing" ? "ready" : tool.state;
    else {
      const { text, files } = shownResult(event.content);
      tool.result = text;
      tool.files = files;
      tool.endedAt = at;
      return this.#become(tool, event.isError ? "failed" : "done");
    }
    this.#touch(tool);
  }

  #become(tool: ToolItem, state: ToolState): void {
    tool.state = state;
    if (state === "parked") this.#parked.add(tool);
    else this.#parked.delete(tool);
    this.#touch(tool);
  }

  #step({ type, stepName }: EventOf<"STEP_STARTED" | "STEP_FINISHED">, at: number): void {
    if (stepName === MODEL_STEP) {
      if (type === "STEP_STARTED") this.modelCalls += 1;
      // The model's next answer means that all results exist: a call without a result was replaced by another call with
      // the same id.
      this.#parked.clear();
      return;
    }
    const tool = this.#byId.get(toolCallOfStep(stepName) ?? "");
    if (tool?.kind !== "tool") return;
    if (type === "STEP_STARTED") {
      tool.startedAt ??= at;
      // Another process has started the call again; its delegated runs still belong to it.
      this.#become(tool, tool.delegated.length > 0 ? "parked" : "running");
    } else if (tool.state === "running") {
      // The step ended without a result: its process died. The next process starts the call again, or reports that it
      // cannot.
      tool.endedAt = at;
      this.#become(tool, "interrupted");
    }
  }

  #cited(value: CustomValue): void {
    const item = this.#byId.get(value.text("message_id") ?? "");
    const [title, url] = [value.text("title"), value.text("url")];
    if (item?.kind !== "text" || title === undefined) return;
    if (!item.citations.some((known) => known.title === title && known.url === url))
      item.citations.push({ title, ...(url !== undefined && { url }) });
    this.#touch(item);
  }

  #custom(name: string, value: CustomValue, at: number): void {
    const base = { key: this.#key(), at, version: 0 };
    if (name === "evenkeel.queued") {
      this.agentId = value.text("agent_id") ?? null;
      this.ahead = value.number("ahead") ?? 0;
    } else if (name === "evenkeel.claimed") {
      this.#status = "running";
      const attempt = value.number("attempt") ?? this.claims.length + 1;
      this.claims.push({ attempt, at });
    } else if (name === "evenkeel.attempt") {
      this.items.push(this.#attempt(value, base));
    } else if (name === "evenkeel.gap") {
      const gap = { after: value.number("after") ?? 0, next: value.number("next") ?? 0 };
      this.items.push({ ...base, kind: "gap", ...gap } satisfies GapItem);
    } else if (name === "evenkeel.citation") {
      this.#cited(value);
    } else if (name === "evenkeel.waiting") {
      this.#waiting(value, base);
    } else if (name === "evenkeel.progress" || name === "evenkeel.tool_output") {
      this.#told(name, value);
    } else if (name === "evenkeel.compacted") {
      this.items.push(compacted(value, base));
    }
  }

  /** Progress and output that a tool reports. */
  #told(name: "evenkeel.progress" | "evenkeel.tool_output", value: CustomValue): void {
    const tool = this.#byId.get(value.text("tool_call_id") ?? "");
    if (tool?.kind !== "tool") return;
    if (name === "evenkeel.tool_output") tool.output = value.text("text") ?? null;
    else tool.progress = value.number("fraction") ?? value.text("text") ?? null;
    this.#touch(tool);
  }

  #waiting(value: CustomValue, base: { key: string; at: number; version: number }): void {
    const tool = this.#byId.get(value.text("tool_call_id") ?? "");
    const runId = value.text("run_id");
    if (tool?.kind === "tool" && runId !== undefined) {
      // The process that takes the run over repeats this event.
      const isKnown = tool.delegated.some((known) => known.runId === runId);
      if (!isKnown) tool.delegated.push({ runId, agentId: value.text("agent_id") ?? "another agent" });
      tool.startedAt ??= base.at;
      return this.#become(tool, "parked");
    }
    this.items.push({ ...base, kind: "parked", reason: value.text("reason") ?? "" } satisfies ParkedItem);
  }

  #attempt(value: CustomValue, base: { key: string; at: number; version: number }): AttemptItem {
    const of = value.text("of") === "run" ? "run" : "model_call";
    // The run is back in the queue until the next process claims it.
    if (of === "run") this.#status = "queued";
    const voided = value.texts("void").flatMap((id) => this.#byId.get(id) ?? []);
    for (const item of voided) {
      item.isVoid = true;
      this.#touch(item);
    }
    const said = { attempt: value.number("attempt") ?? 0, reason: value.text("reason") ?? "" };
    return { ...base, kind: "attempt", of, ...said, waitMs: value.number("wait_ms") ?? null, voided: voided.length };
  }

  #finish(event: EventOf<"RUN_FINISHED" | "RUN_ERROR">, at: number): void {
    this.usage = usageOf(event);
    this.end = endOf(event, at);
    this.#status = this.end.status;
    for (const item of this.items) if (isUnfinished(item)) this.#become(item, "interrupted");
  }

  #key(): string {
    return `${this.lastSeq}.${this.items.length}`;
  }

  #add(id: string, item: VoidableItem): void {
    this.items.push(item);
    this.#byId.set(id, item);
  }

  #touch(item: Item): void {
    item.version += 1;
  }
}

function compacted(value: CustomValue, base: { key: string; at: number; version: number }): CompactedItem {
  return {
    ...base,
    kind: "compacted",
    clearedResults: value.number("cleared_results") ?? 0,
    summarizedMessages: value.number("summarized_messages") ?? 0,
    tokensBefore: value.number("tokens_before") ?? 0,
    tokensAfter: value.number("tokens_after") ?? 0,
  };
}

function isUnfinished(item: Item): item is ToolItem {
  return item.kind === "tool" && item.result === null && item.state !== "interrupted" && !item.isVoid;
}
