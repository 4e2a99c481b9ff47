/**
 * Why is this run slow? Turns a journal into stretches of time, one event at a time: in the queue, waiting before
 * a retry, waiting for the first token, thinking, generating, shortening the conversation, in tools, parked. Pure, and
 * cheap per event. Sums are wall time: two tools that ran side by side for a second took one second. A delegated call
 * counts as parked and not as a tool: time counts for tools while any tool works, and as parked while all open calls
 * are delegated.
 */
import { COMPACT_STEP, MODEL_STEP, toolCallOfStep } from "../../core/event.ts";
import { CustomValue, type WireEvent } from "./wire-event.ts";

export const SEGMENT_KINDS = [
  "queued",
  "rate_limit",
  "first_token",
  "thinking",
  "generating",
  "compacting",
  "tool",
  "parked",
] as const;
export type SegmentKind = (typeof SEGMENT_KINDS)[number];

export interface Segment {
  readonly kind: SegmentKind;
  readonly label: string;
  /** The reason of a retry, of a second queueing or of parking, if there is one. */
  readonly reason: string | null;
  readonly start: number;
  /** Null while it lasts. */
  readonly end: number | null;
  /** A later attempt replaced the text that was generated in this stretch. */
  readonly isVoid: boolean;
  /** A tool call that waits for another run. */
  readonly isDelegated: boolean;
}

export type Sums = Readonly<Record<SegmentKind, number>>;

interface Opened {
  readonly index: number;
  readonly start: number;
}

export class Waterfall {
  /** In order of their start. Bounded by the steps and attempts of the run. */
  readonly segments: Segment[] = [];
  start: number | null = null;
  end: number | null = null;
  /** Time of the newest event. */
  lastAt = 0;
  /** Tokens that were generated and then discarded. */
  voidMs = 0;
  #sums: Record<SegmentKind, number> = {
    queued: 0,
    rate_limit: 0,
    first_token: 0,
    thinking: 0,
    generating: 0,
    compacting: 0,
    tool: 0,
    parked: 0,
  };
  /** The one stretch that is not a tool call, if any is open. */
  #current: Opened | undefined;
  /** Tool calls under way: as many as one answer of the model asked for. */
  readonly #calls = new Map<string, Opened>();
  readonly #toolNames = new Map<string, string>();
  /** For each call, the runs that it was delegated to, with their agents. */
  readonly #delegates = new Map<string, Map<string, string>>();
  /** The time up to which the open calls are in the sums. */
  #callsSince = 0;
  /** Index of the first segment of the model call that may still become void. */
  #unconfirmedFrom = 0;

  apply(event: WireEvent): void {
    const at = Math.max(event.timestamp ?? 0, this.lastAt);
    this.lastAt = at;
    // Time of RUN_STARTED or, after a gap, of the first stored event. The notice of the gap itself has no time.
    if (event.timestamp !== undefined) this.start ??= at;
    switch (event.type) {
      case "RUN_STARTED":
        this.#open("queued", { label: "In the queue", at });
        break;
      case "CUSTOM":
        this.#custom(event.name, new CustomValue(event.value), at);
        break;
      case "STEP_STARTED":
        this.#stepStarted(event.stepName, at);
        break;
      case "STEP_FINISHED":
        if (event.stepName === MODEL_STEP || event.stepName === COMPACT_STEP) this.#close(at);
        else this.#stepFinished(toolCallOfStep(event.stepName), at);
        break;
      case "TOOL_CALL_START":
        this.#toolNames.set(event.toolCallId, event.toolCallName);
        this.#say("generating", at);
        break;
      case "TEXT_MESSAGE_CONTENT":
      case "TOOL_CALL_ARGS":
        this.#say("generating", at);
        break;
      case "REASONING_MESSAGE_CONTENT":
        this.#say("thinking", at);
        break;
      case "TOOL_CALL_RESULT":
        this.#delegateAnswered(event.toolCallId, at);
        break;
      case "RUN_FINISHED":
      case "RUN_ERROR":
        this.#closeAll(at);
        this.end = at;
        break;
      default:
        break;
    }
  }

  /** Wall time per kind up to `now`, which counts for what is still open. */
  sums(now: number): Sums {
    const sums = { ...this.#sums };
    const end = Math.max(now, this.lastAt);
    const current = this.#current && this.segments[this.#current.index];
    if (current) sums[current.kind] += end - current.start;
    const kind = this.#kindOfCalls();
    if (kind) sums[kind] += end - this.#callsSince;
    return sums;
  }

  /** From the POST to the end, or to now. */
  totalMs(now: number): number {
    return this.start === null ? 0 : Math.max(this.end ?? Math.max(now, this.lastAt), this.start) - this.start;
  }

  #custom(name: string, value: CustomValue, at: number): void {
    if (name === "evenkeel.claimed") this.#close(at);
    if (name === "evenkeel.waiting") this.#waiting(value, at);
    if (name !== "evenkeel.attempt") return;
    this.#closeAll(at);
    if (value.texts("void").length > 0) this.#voidCall();
    const reason = value.text("reason");
    if (value.text("of") === "run") this.#open("queued", { label: "Waiting for another process", reason, at });
    else this.#open("rate_limit", { label: `Wait before attempt ${value.number("attempt") ?? "?"}`, reason, at });
  }

  #waiting(value: CustomValue, at: number): void {
    const id = value.text("tool_call_id");
    if (id === undefined) return this.#open("parked", { label: "Parked", reason: value.text("reason"), at });
    const runs = this.#delegates.get(id) ?? new Map<string, string>();
    this.#delegates.set(id, runs.set(value.text("run_id") ?? "", value.text("agent_id") ?? "another agent"));
    const call = this.#calls.get(id);
    if (!call) return this.#openCall(id, at, "");
    // The short time of the handing over belongs to the wait, so that one call is one bar.
    const segment = this.segments[call.index];
    if (segment) this.segments[call.index] = { ...segment, ...this.#look(id, "") };
  }

  #stepStarted(stepName: string, at: number): void {
    if (stepName === MODEL_STEP) {
      this.#unconfirmedFrom = this.segments.length;
      this.#open("first_token", { label: "Waiting for the first token", at });
      return;
    }
    if (stepName === COMPACT_STEP) return this.#open("compacting", { label: "Shortening the conversation", at });
    const id = toolCallOfStep(stepName) ?? stepName;
    // A delegated call is still open when its step begins again in another process.
    if (!this.#calls.has(id)) this.#openCall(id, at, stepName.split(":")[1] ?? stepName);
  }

  /** A delegated call is over when its result is there, however its steps are cut. */
  #stepFinished(id: string | undefined, at: number): void {
    if (id !== undefined && !this.#delegates.has(id)) this.#closeCall(id, at);
  }

  #delegateAnswered(id: string, at: number): void {
    if (!this.#delegates.has(id)) return;
    this.#closeCall(id, at);
    this.#delegates.delete(id);
  }

  #openCall(id: string, at: number, name: string): void {
    this.#close(at);
    this.#settleCalls(at);
    this.#calls.set(id, { index: this.segments.length, start: at });
    this.segments.push({ ...this.#look(id, name), reason: null, start: at, end: null, isVoid: false });
  }

  /** @param name of the tool, if the call has none */
  #look(id: string, name: string): Pick<Segment, "kind" | "label" | "isDelegated"> {
    if (!this.#delegates.has(id)) return { kind: "tool", label: this.#toolNames.get(id) ?? name, isDelegated: false };
    const agents = [...(this.#delegates.get(id)?.values() ?? [])];
    const label = agents.length === 1 ? `Delegated to ${agents[0]}` : `Delegated to ${agents.length} runs`;
    return { kind: "parked", label, isDelegated: true };
  }

  /** The model writes: its first token ends the wait for the first token, and text ends its thinking. */
  #say(kind: "thinking" | "generating", at: number): void {
    const current = this.#current && this.segments[this.#current.index];
    if (current?.kind === kind || (current && !isModels(current))) return;
    if (current) this.#open(kind, { label: kind === "thinking" ? "Thinking" : "Generating", at });
  }

  #open(kind: SegmentKind, { label, reason, at }: { label: string; reason?: string | undefined; at: number }): void {
    this.#close(at);
    this.#current = { index: this.segments.length, start: at };
    const segment = { kind, label, reason: reason ?? null, start: at, end: null };
    this.segments.push({ ...segment, isVoid: false, isDelegated: false });
  }

  #close(at: number): void {
    if (!this.#current) return;
    const segment = this.#end(this.#current, at);
    if (segment) this.#sums[segment.kind] += at - segment.start;
    this.#current = undefined;
  }

  #closeCall(id: string, at: number): void {
    const opened = this.#calls.get(id);
    if (!opened) return;
    this.#settleCalls(at);
    this.#calls.delete(id);
    this.#end(opened, at);
  }

  #closeAll(at: number): void {
    this.#close(at);
    for (const id of this.#calls.keys()) this.#closeCall(id, at);
  }

  #settleCalls(at: number): void {
    const kind = this.#kindOfCalls();
    if (kind) this.#sums[kind] += at - this.#callsSince;
    this.#callsSince = at;
  }

  /** The kind for which the time of the open calls counts. */
  #kindOfCalls(): "tool" | "parked" | undefined {
    const ids = [...this.#calls.keys()];
    if (ids.length === 0) return undefined;
    return ids.every((id) => this.#delegates.has(id)) ? "parked" : "tool";
  }

  #end({ index }: Opened, at: number): Segment | undefined {
    const segment = this.segments[index];
    if (segment) this.segments[index] = { ...segment, end: at };
    return segment;
  }

  #voidCall(): void {
    for (let index = this.#unconfirmedFrom; index < this.segments.length; index += 1) {
      const segment = this.segments[index];
      if (!segment || !isWritten(segment) || segment.isVoid) continue;
      this.segments[index] = { ...segment, isVoid: true };
      this.voidMs += (segment.end ?? segment.start) - segment.start;
    }
  }
}

function isWritten({ kind }: Segment): boolean {
  return kind === "thinking" || kind === "generating";
}

function isModels(segment: Segment): boolean {
  return segment.kind === "first_token" || isWritten(segment);
}
