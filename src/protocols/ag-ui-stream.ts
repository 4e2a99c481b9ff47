/**
 * A run for clients of AG-UI (https://docs.ag-ui.com/concepts/events), whose verifier is strict: no field that the
 * protocol does not name (`seq` goes into the SSE id and into `metadata`), every id opened once at a time, RUN_STARTED
 * first. What an attempt makes void leaves the client's messages by MESSAGES_SNAPSHOT. A stream that is resumed after
 * seq N begins with RUN_STARTED, the messages up to N, and what is open at N. The events of delegated runs
 * (`stream/family.ts`) come with `subagentRunId`; they are no positions, so they have no SSE id.
 */
import type { CustomValues, RunEvent, SubagentEvent } from "../core/event.ts";
import { AgUiMessages } from "./ag-ui-messages.ts";
import { CallNames } from "./call-names.ts";
import { dataLine, type StreamEncoder } from "./encoder.ts";
import { toJson } from "../core/json.ts";

export interface AgUiStreamOptions {
  /** The messages that the client has, without this run's, as a list in JSON. */
  readonly messages: Buffer;
  /** The client has the events up to this seq; 0: none. */
  readonly after: number;
}

/** An event of the run, or of a run that it delegated. */
export type FamilyEvent = (RunEvent | SubagentEvent) & {
  readonly seq: number;
  readonly timestamp: number;
  readonly subagentRunId?: string;
};

/** The namespace of our fields in an event's `metadata`. */
const METADATA = "evenkeel";

export class AgUiStream implements StreamEncoder {
  readonly headers = {};
  // No position, so without an id. Not a cut: after one, the published client leaves a rejection that ends a Node process.
  readonly lastWords = dataLine({
    type: "RUN_ERROR",
    code: "SHUTTING_DOWN",
    message: "This server process ends before the run does. The run goes on: send the same runId again.",
  });
  readonly #after: number;
  readonly #messages: AgUiMessages;
  // By run: undefined, or the delegated runs. Bounded by MAX_DELEGATED_RUNS.
  readonly #names = new Map<string | undefined, CallNames>();
  // The start events of everything that is still open. Bounded by one model answer of each run and its tool calls.
  readonly #open = new Map<string, FamilyEvent>();
  #started: FamilyEvent | undefined;
  /** What the next event needs: nothing more, to be left out, or the catching up before it. */
  #state: "current" | "behind" | "reached";

  constructor({ messages, after }: AgUiStreamOptions) {
    this.#messages = new AgUiMessages(messages);
    this.#after = after;
    this.#state = after > 0 ? "behind" : "current";
  }

  encode(stored: FamilyEvent): string {
    const event = this.#rename(stored);
    const isOwn = event.subagentRunId === undefined;
    if (isOwn && this.#state === "behind" && event.seq > this.#after) this.#state = "reached";
    // Runs before the event is counted, because the client has only the events before it.
    const caughtUp = this.#state === "reached" ? this.#catchUp(event) : "";
    const isVoid = this.#see(event);
    if (this.#state === "behind") {
      // The next event may be one of a delegated run, which says nothing of this position.
      if (isOwn && event.seq === this.#after) this.#state = "reached";
      return "";
    }
    return `${caughtUp}${line(event)}${isVoid ? this.#snapshot(event) : ""}`;
  }

  #rename(event: FamilyEvent): FamilyEvent {
    const { subagentRunId } = event;
    if (event.type === "SUBAGENT_STARTED") {
      const { parentSubagentRunId, parentToolCallId } = event;
      return { ...event, parentToolCallId: `${prefixOf(parentSubagentRunId)}${parentToolCallId}` };
    }
    if (event.type === "SUBAGENT_FINISHED" || event.type === "SUBAGENT_ERROR") return event;
    let names = this.#names.get(subagentRunId);
    if (!names) this.#names.set(subagentRunId, (names = new CallNames(prefixOf(subagentRunId))));
    return names.rename(event);
  }

  /** @returns true when messages of the client are void now */
  #see(event: FamilyEvent): boolean {
    if (event.type === "RUN_STARTED") this.#started = event;
    const opener = openerKey(event);
    if (opener !== undefined) this.#open.set(opener, event);
    const closer = closerKey(event);
    if (closer !== undefined) this.#open.delete(closer);
    this.#messages.see(event);
    if (event.type !== "CUSTOM" || event.name !== "evenkeel.attempt") return false;
    return this.#messages.drop(event.value as CustomValues["evenkeel.attempt"]);
  }

  #catchUp({ timestamp }: FamilyEvent): string {
    this.#state = "current";
    const again = [this.#started, ...this.#open.values()].filter((event) => event !== undefined);
    const [started, ...open] = again.map((event) => line({ ...event, timestamp }, this.#after));
    return `${started ?? ""}${this.#snapshot({ seq: this.#after, timestamp })}${open.join("")}`;
  }

  #snapshot({ seq, timestamp, ...of }: Pick<FamilyEvent, "seq" | "timestamp" | "subagentRunId">): string {
    const event = { type: "MESSAGES_SNAPSHOT", timestamp, messages: this.#messages.all() };
    return text(idOf(of, seq), event, { seq });
  }
}

/** @param id the position to send in place of the event's own */
function line({ seq, ...event }: FamilyEvent, id: number | undefined = idOf(event, seq)): string {
  switch (event.type) {
    case "TOOL_CALL_RESULT": {
      // AG-UI has no field for a tool that failed.
      const { isError, ...result } = event;
      return text(id, result, { seq, ...(isError === true && { is_error: true }) });
    }
    case "RUN_FINISHED":
    case "RUN_ERROR": {
      // Nor has it one for why a run ended.
      const { finish_reason, ...end } = event;
      return text(id, end, { seq, ...(finish_reason !== undefined && { finish_reason }) });
    }
    default:
      return text(id, event, { seq });
  }
}

/** Only the run's own events are positions. */
function idOf({ subagentRunId }: Pick<FamilyEvent, "subagentRunId">, seq: number): number | undefined {
  return subagentRunId === undefined ? seq : undefined;
}

/** Two runs may have calls with the same id. */
function prefixOf(subagentRunId: string | undefined): string {
  return subagentRunId === undefined ? "" : `${subagentRunId}/`;
}

function text(id: number | undefined, event: object, ours: object): string {
  const data = toJson({ ...event, metadata: { [METADATA]: ours } });
  return `${id === undefined ? "" : `id: ${id}\n`}data: ${data}\n\n`;
}

function openerKey(event: FamilyEvent): string | undefined {
  switch (event.type) {
    case "TEXT_MESSAGE_START":
    case "REASONING_START":
    case "REASONING_MESSAGE_START":
      return `${event.type.replace("_START", "")} ${event.messageId}`;
    case "TOOL_CALL_START":
      return `TOOL_CALL ${event.toolCallId}`;
    case "STEP_STARTED":
      return `STEP ${event.stepName}`;
    case "SUBAGENT_STARTED":
      return `SUBAGENT ${event.subagentRunId}`;
    default:
      return undefined;
  }
}

function closerKey(event: FamilyEvent): string | undefined {
  switch (event.type) {
    case "TEXT_MESSAGE_END":
    case "REASONING_END":
    case "REASONING_MESSAGE_END":
      return `${event.type.replace("_END", "")} ${event.messageId}`;
    case "TOOL_CALL_END":
      return `TOOL_CALL ${event.toolCallId}`;
    case "STEP_FINISHED":
      return `STEP ${event.stepName}`;
    case "SUBAGENT_FINISHED":
    case "SUBAGENT_ERROR":
      return `SUBAGENT ${event.subagentRunId}`;
    default:
      return undefined;
  }
}
