/**
 * The journal's vocabulary: AG-UI 1.0 events (https://docs.ag-ui.com) as they go over the wire, our CUSTOM events, and
 * the rule that everything opened is closed. The engine appends the first event, and the last one when a run is ended
 * by force; the agent appends all others.
 */
import type {
  ContentPart,
  CustomEvent,
  ReasoningEndEvent,
  ReasoningMessageContentEvent,
  ReasoningMessageEndEvent,
  ReasoningMessageStartEvent,
  ReasoningStartEvent,
  RunErrorEvent,
  RunFinishedEvent,
  RunStartedEvent,
  StepFinishedEvent,
  StepStartedEvent,
  SubagentErrorEvent,
  SubagentFinishedEvent,
  SubagentStartedEvent,
  TextMessageContentEvent,
  TextMessageEndEvent,
  TextMessageStartEvent,
  TokenUsage,
  ToolCallArgsEvent,
  ToolCallEndEvent,
  ToolCallResultEvent,
  ToolCallStartEvent,
} from "@ag-ui/core";
import type { ToolResultContent, ToolResultPart } from "./message.ts";
import { finishReasonOf, type FinishReason, type Outcome, type Run, type Usage } from "./run.ts";
import { FILE_PATH, filePath } from "./file.ts";
import { toJson } from "./json.ts";

// AG-UI types `type` as a TypeScript enum; on the wire, and here, it is the plain string.
type Wire<E> = E extends { type: string } ? Omit<E, "type" | "rawEvent"> & { type: `${E["type"]}` } : never;

export type RunEvent = Wire<
  | RunStartedEvent
  | Ended<RunFinishedEvent>
  | Ended<RunErrorEvent>
  | StepStartedEvent
  | StepFinishedEvent
  | TextMessageStartEvent
  | TextMessageContentEvent
  | TextMessageEndEvent
  | ReasoningStartEvent
  | ReasoningMessageStartEvent
  | ReasoningMessageContentEvent
  | ReasoningMessageEndEvent
  | ReasoningEndEvent
  | ToolCallStartEvent
  | ToolCallArgsEvent
  | ToolCallEndEvent
  | ToolResultEvent
  | CustomEvent
>;

/** The beginning and end of a delegated run in the stream of the run that delegated it; never in a journal. */
export type SubagentEvent = Wire<SubagentStartedEvent | SubagentFinishedEvent | SubagentErrorEvent>;

/** AG-UI has no field for a failed tool, but lets events have more fields than it names. */
type ToolResultEvent = ToolCallResultEvent & { isError?: true };

/** AG-UI has no field for why a run ended either. */
type Ended<E> = E & { finish_reason?: FinishReason };

export type RunEventType = RunEvent["type"];

/** One row of a run's journal. `data` is the event as JSON; its first fields are `seq` and `timestamp`. */
export interface JournalEvent {
  readonly seq: number;
  /** In a row of joined deltas: the seq of the first delta. */
  readonly first?: number;
  /** In a row of joined deltas: the length of each, in UTF-16 units; the last one is the delta of `seq`. */
  readonly lengths?: readonly number[];
  readonly type: RunEventType;
  readonly data: string;
}

const TIMESTAMP = '"timestamp":';

/** The row as every driver stores it: `seq` and `timestamp` come first, so that `timestampOf` finds its own. */
export function journalRow(event: RunEvent, seq: number, at: number): JournalEvent {
  const data = `{"seq":${seq},${TIMESTAMP}${at},${toJson(event).slice(1)}`;
  return { seq, type: event.type, data };
}

/** When the row was appended, in milliseconds since the epoch; found without parsing the whole row. */
export function timestampOf({ data }: JournalEvent): number {
  // The timestamp comes right after `seq`: see `journalRow`.
  return Number.parseInt(data.slice(data.indexOf(TIMESTAMP) + TIMESTAMP.length), 10);
}

/** @returns the text of joined deltas without the first `known` of them */
export function withoutDeltas(text: string, lengths: readonly number[], known: number): string {
  return text.slice(lengths.slice(0, known).reduce((sum, length) => sum + length, 0));
}

/** Names of our CUSTOM events; `value` has the type after each name. */
export interface CustomValues {
  "evenkeel.queued": { agent_id: string; ahead: number };
  /** `owner` names the process, `machine` the server that it belongs to. */
  "evenkeel.claimed": { owner: string; machine: string; attempt: number };
  /** A new attempt at a run or model call. What the messages and tool calls in `void` showed so far does not count. */
  "evenkeel.attempt": { of: "run" | "model_call"; attempt: number; reason: string; void: string[]; wait_ms?: number };
  /** The run is parked: this tool call waits for the run that it delegated, and holds no slot meanwhile. */
  "evenkeel.waiting":
    | { reason: string; tool_call_id: string; run_id: string; agent_id: string }
    /** The run waits for the model, until about `until` (epoch ms): the model limits our requests, or is in trouble. */
    | { reason: string; until: number };
  /** How far a tool is, in its own words or as a fraction of 1. */
  "evenkeel.progress": { tool_call_id: string; text: string } | { tool_call_id: string; fraction: number };
  /** What the text of a message cites: a document that was sent, or a web page. The thread has the citation in full. */
  "evenkeel.citation": { message_id: string; title: string; url?: string; cited_text?: string };
  /** The end of a tool call's output on stdout and stderr. */
  "evenkeel.tool_output": { tool_call_id: string; text: string };
  /**
   * The conversation had grown too long for the model, which gets a shorter one from here on. The thread still has
   * everything. Counts are messages; tokens are the server's estimates.
   */
  "evenkeel.compacted": {
    title: string;
    cleared_results: number;
    summarized_messages: number;
    tokens_before: number;
    tokens_after: number;
    budget: number;
  };
  /** The events between seq `after` and seq `next` are not stored any more. Sent to readers; never in a journal. */
  "evenkeel.gap": { after: number; next: number };
}

export function customEvent<N extends keyof CustomValues>(name: N, value: CustomValues[N]): RunEvent {
  return { type: "CUSTOM", name, value };
}

/**
 * A tool's result as AG-UI's clients read it: a stored file has a path on this server. @param basePath never in a
 * journal, see `dataUnder`
 */
export function resultInJournal(content: ToolResultContent, basePath = ""): string | ContentPart[] {
  return typeof content === "string" ? content : content.map((part) => partInJournal(part, basePath));
}

/** The beginning of a stored file's path in a result's JSON. Text cannot contain it, because its quotes are escaped. */
const OWN_FILE = `"value":"${FILE_PATH}`;

/** A row's JSON for clients: paths of this server are under its BASE_PATH, which may have changed since the event. */
export function dataUnder(basePath: string, { type, data }: Pick<JournalEvent, "type" | "data">): string {
  if (basePath === "" || type !== "TOOL_CALL_RESULT") return data;
  return data.replaceAll(OWN_FILE, `"value":"${basePath}${FILE_PATH}`);
}

/** The content for places where only text can stand. */
export function textInJournal(content: string | readonly ContentPart[]): string {
  if (typeof content === "string") return content;
  return content
    .map((part) =>
      part.type === "text" ? part.text : `[${part.type}${"value" in part.source ? ` ${part.source.value}` : ""}]`,
    )
    .join("\n");
}

function partInJournal(part: ToolResultPart, basePath: string): ContentPart {
  if (part.type === "text") return part;
  const { type, source } = part;
  return {
    type,
    source: { type: "url", value: source.type === "url" ? source.url : `${basePath}${filePath(source.file_id)}` },
  };
}

/** The one event that ends a journal. AG-UI spells its outcome "cancelled"; our status has one l. */
export function terminalEvent(run: Pick<Run, "run_id" | "thread_id">, outcome: Outcome, usage: Usage): RunEvent {
  const tokens: TokenUsage[] = [
    {
      // AG-UI counts cached tokens as input; the Messages API counts them apart.
      inputTokens: usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
      outputTokens: usage.output_tokens,
      cachedInputTokens: usage.cache_read_input_tokens,
      cacheWriteInputTokens: usage.cache_creation_input_tokens,
    },
  ];
  const finish_reason = finishReasonOf(outcome);
  if (outcome.status === "failed") {
    const { code, detail } = outcome.error;
    return { type: "RUN_ERROR", code, message: detail, usage: tokens, finish_reason };
  }
  const finished = {
    type: "RUN_FINISHED",
    threadId: run.thread_id,
    runId: run.run_id,
    usage: tokens,
    finish_reason,
  } as const;
  if (outcome.status === "canceled") return { ...finished, outcome: { type: "cancelled" } };
  // Put `finish_reason` into `result` as well, because AG-UI's own clients drop fields that they do not know.
  const { reply, output } = outcome;
  const result = { reply, finish_reason, ...(output !== undefined && { output }) };
  return { ...finished, outcome: { type: "success" }, result };
}

/** True for an event after which a journal accepts no more. */
export function isTerminal(type: RunEventType): boolean {
  return type === "RUN_FINISHED" || type === "RUN_ERROR";
}

/**
 * Follows one run's events and knows what is open: AG-UI wants every message, tool call and step closed before the run
 * ends, and we want that before a new attempt as well. What a model call showed counts only once its step is finished;
 * if the call has to be repeated before that, it is void.
 */
export class OpenItems {
  // Insertion order is opening order, so closing in reverse order nests correctly. Bounded by one model answer.
  readonly #open = new Map<string, RunEvent>();
  readonly #unconfirmed = new Set<string>();

  see(event: RunEvent): void {
    const closer = closerOf(event);
    if (closer) this.#open.set(keyOf(closer), closer);
    else this.#open.delete(keyOf(event));
    if (closer && event.type !== "STEP_STARTED") this.#unconfirmed.add(idOf(event));
    if (settlesStep(event)) this.#unconfirmed.clear();
  }

  /** Whether something is open that this event would close. */
  has(closer: RunEvent): boolean {
    return this.#open.has(keyOf(closer));
  }

  /** The events that close everything that is open, innermost first, and the ids that are void now. */
  close(): { readonly events: RunEvent[]; readonly voided: string[] } {
    const events = [...this.#open.values()].toReversed();
    const voided = [...this.#unconfirmed];
    this.#open.clear();
    this.#unconfirmed.clear();
    return { events, voided };
  }
}

/**
 * True for the event that decides about a model call's output: the end of its step (the output counts), or a new
 * attempt (it is void). The call of a job comes from no model; it counts once its tool begins.
 */
function settlesStep(event: RunEvent): boolean {
  if (event.type === "CUSTOM") return event.name === "evenkeel.attempt";
  if (event.type === "STEP_STARTED") return toolCallOfStep(event.stepName) !== undefined;
  return event.type === "STEP_FINISHED" && event.stepName === MODEL_STEP;
}

/** The name of the step that is one model call. */
export const MODEL_STEP = "model";
/** The name of the step in which a conversation is made shorter. */
export const COMPACT_STEP = "compact";

/** The tool call that a step runs, by the name that the agent gives such steps. */
export function toolCallOfStep(stepName: string): string | undefined {
  return /^tool:[^:]*:(.+)$/s.exec(stepName)?.[1];
}

function closerOf(event: RunEvent): RunEvent | undefined {
  switch (event.type) {
    case "TEXT_MESSAGE_START":
      return { type: "TEXT_MESSAGE_END", messageId: event.messageId };
    case "REASONING_START":
      return { type: "REASONING_END", messageId: event.messageId };
    case "REASONING_MESSAGE_START":
      return { type: "REASONING_MESSAGE_END", messageId: event.messageId };
    case "TOOL_CALL_START":
      return { type: "TOOL_CALL_END", toolCallId: event.toolCallId };
    case "STEP_STARTED":
      return { type: "STEP_FINISHED", stepName: event.stepName };
    default:
      return undefined;
  }
}

function keyOf(event: RunEvent): string {
  return `${event.type} ${idOf(event)}`;
}

function idOf(event: RunEvent): string {
  if ("messageId" in event) return event.messageId;
  if ("toolCallId" in event) return event.toolCallId;
  return "stepName" in event ? event.stepName : "";
}
