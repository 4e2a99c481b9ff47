/**
 * Why is this run slow? Turns a journal into stretches of time, one event at a time: in the queue, waiting before
 * a retry, waiting for the first token, generating, in tools, parked. Pure, and cheap per event. Sums are wall
 * time: two tools that ran side by side for a second took one second.
 */
import { MODEL_STEP } from "../../core/event.ts";
import { CustomValue, toolCallOfStep, type WireEvent } from "./wire.ts";

export const SEGMENT_KINDS = ["queued", "rate_limit", "first_token", "generating", "tool", "parked"] as const;
export type SegmentKind = (typeof SEGMENT_KINDS)[number];

export interface Segment {
  readonly kind: SegmentKind;
  readonly label: string;
  /** Why, where there is a reason: of a retry, of a second queueing, of parking. */
  readonly reason: string | null;
  readonly start: number;
  /** Null while it lasts. */
  readonly end: number | null;
  /** What was generated in it did not count in the end. */
  readonly isVoid: boolean;
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
  /** Of the newest event. */
  lastAt = 0;
  /** Generated and thrown away. */
  voidMs = 0;
  #sums: Record<SegmentKind, number> = { queued: 0, rate_limit: 0, first_token: 0, generating: 0, tool: 0, parked: 0 };
  /** The one stretch that is not a tool, if any is open. */
  #current: Opened | undefined;
  readonly #tools = new Map<string, Opened>();
  readonly #toolNames = new Map<string, string>();
  #toolsSince = 0;
  /** Where the segments of the model call begin that may still become void. */
  #unconfirmedFrom = 0;

  apply(event: WireEvent): void {
    const at = Math.max(event.timestamp ?? 0, this.lastAt);
    this.lastAt = at;
    // RUN_STARTED, or, behind a gap, the first event that is stored. The notice of the gap itself has no time.
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
        if (event.stepName === MODEL_STEP) this.#close(at);
        else this.#closeTool(toolCallOfStep(event.stepName), at);
        break;
      case "TOOL_CALL_START":
        this.#toolNames.set(event.toolCallId, event.toolCallName);
        this.#firstToken(at);
        break;
      case "TEXT_MESSAGE_CONTENT":
      case "REASONING_MESSAGE_CONTENT":
      case "TOOL_CALL_ARGS":
        this.#firstToken(at);
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
    if (this.#tools.size > 0) sums.tool += end - this.#toolsSince;
    return sums;
  }

  /** From the POST to the end, or to now. */
  totalMs(now: number): number {
    return this.start === null ? 0 : Math.max(this.end ?? Math.max(now, this.lastAt), this.start) - this.start;
  }

  #custom(name: string, value: CustomValue, at: number): void {
    if (name === "evenkeel.claimed") this.#close(at);
    if (name === "evenkeel.waiting") this.#open("parked", { label: "Parked", reason: value.text("reason"), at });
    if (name !== "evenkeel.attempt") return;
    this.#closeAll(at);
    if (value.texts("void").length > 0) this.#voidCall();
    const reason = value.text("reason");
    if (value.text("of") === "run") this.#open("queued", { label: "Waiting for another process", reason, at });
    else this.#open("rate_limit", { label: `Wait before attempt ${value.number("attempt") ?? "?"}`, reason, at });
  }

  #stepStarted(stepName: string, at: number): void {
    if (stepName === MODEL_STEP) {
      this.#unconfirmedFrom = this.segments.length;
      this.#open("first_token", { label: "Waiting for the first token", at });
      return;
    }
    this.#close(at);
    const id = toolCallOfStep(stepName) ?? stepName;
    if (this.#tools.size === 0) this.#toolsSince = at;
    this.#tools.set(id, { index: this.segments.length, start: at });
    const label = this.#toolNames.get(id) ?? stepName.split(":")[1] ?? stepName;
    this.segments.push({ kind: "tool", label, reason: null, start: at, end: null, isVoid: false });
  }

  #firstToken(at: number): void {
    const current = this.#current && this.segments[this.#current.index];
    if (current?.kind === "first_token") this.#open("generating", { label: "Generating", at });
  }

  #open(kind: SegmentKind, { label, reason, at }: { label: string; reason?: string | undefined; at: number }): void {
    this.#close(at);
    this.#current = { index: this.segments.length, start: at };
    this.segments.push({ kind, label, reason: reason ?? null, start: at, end: null, isVoid: false });
  }

  #close(at: number): void {
    if (!this.#current) return;
    const segment = this.#end(this.#current, at);
    if (segment) this.#sums[segment.kind] += at - segment.start;
    this.#current = undefined;
  }

  #closeTool(id: string | undefined, at: number): void {
    const opened = id === undefined ? undefined : this.#tools.get(id);
    if (id === undefined || !opened) return;
    this.#tools.delete(id);
    this.#end(opened, at);
    if (this.#tools.size === 0) this.#sums.tool += at - this.#toolsSince;
  }

  #closeAll(at: number): void {
    this.#close(at);
    for (const id of this.#tools.keys()) this.#closeTool(id, at);
  }

  #end({ index }: Opened, at: number): Segment | undefined {
    const segment = this.segments[index];
    if (segment) this.segments[index] = { ...segment, end: at };
    return segment;
  }

  #voidCall(): void {
    for (let index = this.#unconfirmedFrom; index < this.segments.length; index += 1) {
      const segment = this.segments[index];
      if (segment?.kind !== "generating" || segment.isVoid) continue;
      this.segments[index] = { ...segment, isVoid: true };
      this.voidMs += (segment.end ?? segment.start) - segment.start;
    }
  }
}
