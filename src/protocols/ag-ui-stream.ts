/**
 * A run for clients of AG-UI (https://docs.ag-ui.com/concepts/events), whose verifier is strict: no field that the
 * protocol does not name (`seq` goes into the SSE id and into `metadata`), every id opened once at a time, RUN_STARTED
 * first. What an attempt makes void leaves the client's messages by MESSAGES_SNAPSHOT. A stream that is resumed after
 * seq N begins with RUN_STARTED, the messages up to N, and what is open at N.
 */
import type { CustomValues } from "../core/event.ts";
import { AgUiMessages, type AgUiMessage } from "./ag-ui-messages.ts";
import { CallNames } from "./call-names.ts";
import type { StoredEvent, StreamEncoder } from "./encoder.ts";
import { toJson } from "../core/json.ts";

export interface AgUiStreamOptions {
  /** The messages that the client has, without this run's. */
  readonly messages: readonly AgUiMessage[];
  /** The client has the events up to this seq; 0: none. */
  readonly after: number;
}

/** The namespace of our fields in an event's `metadata`. */
const METADATA = "evenkeel";

export class AgUiStream implements StreamEncoder {
  readonly headers = {};
  readonly #after: number;
  readonly #messages: AgUiMessages;
  readonly #names = new CallNames();
  // The start events of everything that is still open. Bounded by one model answer and its tool calls.
  readonly #open = new Map<string, StoredEvent>();
  #started: StoredEvent | undefined;
  #isBehind: boolean;

  constructor({ messages, after }: AgUiStreamOptions) {
    this.#messages = new AgUiMessages(messages);
    this.#after = after;
    this.#isBehind = after > 0;
  }

  encode(stored: StoredEvent): string {
    const event = this.#names.rename(stored);
    // Runs before the event is counted, because the client has only the events before it.
    const caughtUp = this.#isBehind && event.seq > this.#after ? this.#catchUp(event) : "";
    const isVoid = this.#see(event);
    if (event.seq <= this.#after) return "";
    return `${caughtUp}${line(event)}${isVoid ? this.#snapshot(event) : ""}`;
  }

  /** @returns true when messages of the client are void now */
  #see(event: StoredEvent): boolean {
    if (event.type === "RUN_STARTED") this.#started = event;
    const opener = openerKey(event);
    if (opener !== undefined) this.#open.set(opener, event);
    const closer = closerKey(event);
    if (closer !== undefined) this.#open.delete(closer);
    this.#messages.see(event);
    if (event.type !== "CUSTOM" || event.name !== "evenkeel.attempt") return false;
    return this.#messages.drop(event.value as CustomValues["evenkeel.attempt"]);
  }

  #catchUp(next: StoredEvent): string {
    this.#isBehind = false;
    const at = { seq: next.seq - 1, timestamp: next.timestamp };
    const again = [this.#started, ...this.#open.values()].filter((event) => event !== undefined);
    const [started, ...open] = again.map((event) => line({ ...event, ...at }));
    return `${started ?? ""}${this.#snapshot({ ...next, ...at })}${open.join("")}`;
  }

  #snapshot({ seq, timestamp }: StoredEvent): string {
    return text(seq, { type: "MESSAGES_SNAPSHOT", timestamp, messages: this.#messages.all() });
  }
}

function line({ seq, ...event }: StoredEvent): string {
  switch (event.type) {
    case "TOOL_CALL_RESULT": {
      // AG-UI has no field for a tool that failed.
      const { isError, ...result } = event;
      return text(seq, result, isError === true && { is_error: true });
    }
    case "RUN_FINISHED":
    case "RUN_ERROR": {
      // Nor has it one for why a run ended.
      const { finish_reason, ...end } = event;
      return text(seq, end, finish_reason !== undefined && { finish_reason });
    }
    default:
      return text(seq, event);
  }
}

function text(seq: number, event: object, ours?: object | false): string {
  return `id: ${seq}\ndata: ${toJson({ ...event, metadata: { [METADATA]: { seq, ...ours } } })}\n\n`;
}

function openerKey(event: StoredEvent): string | undefined {
  switch (event.type) {
    case "TEXT_MESSAGE_START":
    case "REASONING_START":
    case "REASONING_MESSAGE_START":
      return `${event.type.replace("_START", "")} ${event.messageId}`;
    case "TOOL_CALL_START":
      return `TOOL_CALL ${event.toolCallId}`;
    case "STEP_STARTED":
      return `STEP ${event.stepName}`;
    default:
      return undefined;
  }
}

function closerKey(event: StoredEvent): string | undefined {
  switch (event.type) {
    case "TEXT_MESSAGE_END":
    case "REASONING_END":
    case "REASONING_MESSAGE_END":
      return `${event.type.replace("_END", "")} ${event.messageId}`;
    case "TOOL_CALL_END":
      return `TOOL_CALL ${event.toolCallId}`;
    case "STEP_FINISHED":
      return `STEP ${event.stepName}`;
    default:
      return undefined;
  }
}
