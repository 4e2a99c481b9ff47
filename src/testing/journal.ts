/**
 * The rules that every finished journal keeps, whatever happened to its run: AG-UI's schema, contiguous seq, an end for
 * each start, at most one result for each tool call, one terminal event and nothing after it. Called by tests on every run
 * they make.
 */
import { EventSchema } from "@ag-ui/core/schemas";

/** An event as a client gets it. */
export interface ReadEvent {
  readonly seq: number;
  readonly type: string;
  readonly timestamp: number;
  readonly name?: string;
  readonly value?: Readonly<Record<string, unknown>>;
  readonly messageId?: string;
  readonly toolCallId?: string;
  readonly toolCallName?: string;
  readonly stepName?: string;
  readonly delta?: string;
  readonly content?: string;
  readonly code?: string;
  readonly message?: string;
  readonly outcome?: { readonly type: string };
  readonly result?: Readonly<Record<string, unknown>>;
}

const CLOSERS: Readonly<Record<string, string>> = {
  TEXT_MESSAGE_START: "TEXT_MESSAGE_END",
  REASONING_START: "REASONING_END",
  REASONING_MESSAGE_START: "REASONING_MESSAGE_END",
  TOOL_CALL_START: "TOOL_CALL_END",
  STEP_STARTED: "STEP_FINISHED",
};
/** What must lie between an opening and its closing. */
const INSIDE: Readonly<Record<string, string>> = {
  TEXT_MESSAGE_CONTENT: "TEXT_MESSAGE_END",
  REASONING_MESSAGE_CONTENT: "REASONING_MESSAGE_END",
  TOOL_CALL_ARGS: "TOOL_CALL_END",
};
const TERMINAL: readonly string[] = ["RUN_FINISHED", "RUN_ERROR"];

/** All violations of the rules in the journal of a finished run; empty when it keeps them all. */
export function problemsOf(events: readonly ReadEvent[]): string[] {
  const checker = new Checker();
  for (const event of events) checker.see(event);
  checker.end(events);
  return checker.problems;
}

class Checker {
  readonly problems: string[] = [];
  readonly #open = new Set<string>();
  /** Tool calls that have begun and have no result yet. */
  readonly #unanswered = new Set<string>();
  #last = 0;

  see(event: ReadEvent): void {
    if (event.seq !== this.#last + 1) this.problems.push(`seq ${event.seq} follows ${this.#last}`);
    this.#last = event.seq;
    this.#checkShape(event);
    const key = (type: string) => `${type} ${event.messageId ?? event.toolCallId ?? event.stepName ?? ""}`;
    const closer = CLOSERS[event.type];
    const around = INSIDE[event.type];
    if (closer && this.#open.has(key(closer))) this.#say(event, "opens what is open");
    if (closer) this.#open.add(key(closer));
    if (around && !this.#open.has(key(around))) this.#say(event, "adds to what is not open");
    if (Object.values(CLOSERS).includes(event.type) && !this.#open.delete(key(event.type))) {
      this.#say(event, "closes what is not open");
    }
    this.#checkResult(event);
    const breaks = TERMINAL.includes(event.type) || event.name === "evenkeel.attempt";
    if (breaks && this.#open.size > 0) this.#say(event, `leaves open: ${[...this.#open].join(", ")}`);
  }

  end(events: readonly ReadEvent[]): void {
    if (events[0]?.type !== "RUN_STARTED") this.problems.push(`begins with ${events[0]?.type}`);
    const terminals = events.filter(({ type }) => TERMINAL.includes(type));
    if (terminals.length !== 1) this.problems.push(`has ${terminals.length} terminal events`);
    if (!TERMINAL.includes(events.at(-1)?.type ?? "")) this.problems.push(`ends with ${events.at(-1)?.type}`);
  }

  /** A call that an attempt has voided gets its result from a call that begins anew. */
  #checkResult({ type, toolCallId = "", value, ...event }: ReadEvent): void {
    if (type === "TOOL_CALL_START") this.#unanswered.add(toolCallId);
    if (type === "TOOL_CALL_RESULT" && !this.#unanswered.delete(toolCallId))
      this.#say({ type, ...event }, `answers ${toolCallId}, which never began or has its result already`);
    for (const voided of (value?.["void"] as string[] | undefined) ?? []) this.#unanswered.delete(voided);
  }

  #checkShape(event: ReadEvent): void {
    const parsed = EventSchema.safeParse(event);
    if (!parsed.success) this.#say(event, `is no AG-UI event: ${parsed.error.message}`);
    if (Object.values(event).includes(null)) this.#say(event, "has null where it should leave a field out");
  }

  #say({ seq, type }: ReadEvent, what: string): void {
    this.problems.push(`${type} (seq ${seq}) ${what}`);
  }
}

/** The text of the messages that count, without those that a new attempt declared void. */
export function textIn(events: readonly ReadEvent[]): string {
  const voided = new Set(events.flatMap(({ value }) => (value?.["void"] as string[] | undefined) ?? []));
  return events
    .filter(({ type, messageId = "" }) => type === "TEXT_MESSAGE_CONTENT" && !voided.has(messageId))
    .map(({ delta }) => delta)
    .join("");
}

/** Types, with the name for CUSTOM events; repeats of one type in a row count once. */
export function outlineOf(events: readonly ReadEvent[]): string[] {
  const names = events.map(({ type, name }) => name ?? type);
  return names.filter((name, index) => name !== names[index - 1]);
}

/** The number of model calls in the journal. */
export function modelCallsIn(events: readonly ReadEvent[]): number {
  return events.filter(({ type, stepName }) => type === "STEP_STARTED" && stepName === "model").length;
}
