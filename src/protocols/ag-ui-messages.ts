/**
 * The messages that an AG-UI client has after a part of a journal (https://docs.ag-ui.com/concepts/messages): what the
 * client builds from the same events, kept so that it can be sent whole as MESSAGES_SNAPSHOT.
 */
import type { CustomValues } from "../core/event.ts";
import type { FamilyEvent } from "./ag-ui-stream.ts";

/** A message as the client holds it; `id` and `role` are all that every role has. */
export interface AgUiMessage {
  readonly id: string;
  readonly role: string;
  readonly [field: string]: unknown;
}

export class AgUiMessages {
  // Bytes, because only a snapshot needs the messages, and the memory of bytes can be counted.
  readonly #before: Buffer;
  // The run's own, in the order that the client shows. Grows with its answer, which the run's limits bound.
  readonly #messages = new Map<string, AgUiMessage>();
  readonly #void = new Set<string>();

  /** @param before a list as JSON, what the client sent: a snapshot replaces all that it has */
  constructor(before: Buffer) {
    this.#before = before;
  }

  see(event: FamilyEvent): void {
    const { subagentRunId } = event;
    const owner = subagentRunId === undefined ? {} : { subagentRunId };
    switch (event.type) {
      case "TEXT_MESSAGE_START":
        return this.#put({ id: event.messageId, role: "assistant", content: "", ...owner });
      case "REASONING_MESSAGE_START":
        return this.#put({ id: event.messageId, role: "reasoning", content: "", ...owner });
      case "TEXT_MESSAGE_CONTENT":
      case "REASONING_MESSAGE_CONTENT":
        return this.#append(event.messageId, event.delta);
      case "TOOL_CALL_START":
        return this.#put({ ...callMessage(event.toolCallId, event.toolCallName, ""), ...owner });
      case "TOOL_CALL_ARGS":
        return this.#appendArguments(event.toolCallId, event.delta);
      case "TOOL_CALL_RESULT":
        return this.#put({
          id: event.messageId,
          role: "tool",
          toolCallId: event.toolCallId,
          content: event.content,
          ...owner,
        });
      default:
    }
  }

  /** Removes the messages that an attempt makes void. @returns false when there were none */
  drop({ void: voided }: CustomValues["evenkeel.attempt"]): boolean {
    for (const id of voided) this.#void.add(id);
    return voided.map((id) => this.#messages.delete(id)).includes(true);
  }

  all(): AgUiMessage[] {
    const before = JSON.parse(this.#before.toString()) as AgUiMessage[];
    const kept = before.filter(({ id }) => !this.#void.has(id));
    const all = new Map(kept.map((message) => [message.id, message]));
    for (const message of this.#messages.values()) put(all, message);
    return [...all.values()];
  }

  #put(message: AgUiMessage): void {
    put(this.#messages, message);
  }

  #append(id: string, delta: string): void {
    const message = this.#messages.get(id);
    if (message) this.#put({ ...message, content: `${String(message["content"])}${delta}` });
  }

  #appendArguments(id: string, delta: string): void {
    const message = this.#messages.get(id);
    const calls = message?.["toolCalls"] as
      | readonly { readonly function: { readonly name: string; readonly arguments: string } }[]
      | undefined;
    const call = calls?.[0]?.function;
    if (call) this.#put({ ...message, ...callMessage(id, call.name, call.arguments + delta) });
  }
}

/** Like the client, puts a result behind its call and behind the results that follow the call already. */
function put(messages: Map<string, AgUiMessage>, message: AgUiMessage): void {
  if (message.role !== "tool") {
    messages.set(message.id, message);
    return;
  }
  const all = [...messages.values()];
  const call = all.findIndex(({ id }) => id === message["toolCallId"]);
  const next = call < 0 ? -1 : all.findIndex(({ role }, index) => index > call && role !== "tool");
  all.splice(next < 0 ? all.length : next, 0, message);
  messages.clear();
  for (const one of all) messages.set(one.id, one);
}

/** A call is a message of its own, with the call's id, as the client makes it of a call without a parent message. */
function callMessage(id: string, name: string, json: string): AgUiMessage {
  return { id, role: "assistant", toolCalls: [{ id, type: "function", function: { name, arguments: json } }] };
}
