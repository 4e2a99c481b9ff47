/**
 * The messages that an AG-UI client has after a part of a journal (https://docs.ag-ui.com/concepts/messages): what the
 * client builds from the same events, kept so that it can be sent whole as MESSAGES_SNAPSHOT.
 */
import type { CustomValues } from "../core/event.ts";
import type { StoredEvent } from "./encoder.ts";

/** A message as the client holds it; `id` and `role` are all that every role has. */
export interface AgUiMessage {
  readonly id: string;
  readonly role: string;
  readonly [field: string]: unknown;
}

export class AgUiMessages {
  // In order of their beginning. Grows with the answer of one run, which the run's limits bound.
  readonly #messages: Map<string, AgUiMessage>;

  /** @param before what the client sent: a snapshot replaces all that it has */
  constructor(before: readonly AgUiMessage[]) {
    this.#messages = new Map(before.map((message) => [message.id, message]));
  }

  see(event: StoredEvent): void {
    switch (event.type) {
      case "TEXT_MESSAGE_START":
        return this.#put({ id: event.messageId, role: "assistant", content: "" });
      case "REASONING_MESSAGE_START":
        return this.#put({ id: event.messageId, role: "reasoning", content: "" });
      case "TEXT_MESSAGE_CONTENT":
      case "REASONING_MESSAGE_CONTENT":
        return this.#append(event.messageId, event.delta);
      case "TOOL_CALL_START":
        return this.#putCall(event.toolCallId, event.toolCallName, "");
      case "TOOL_CALL_ARGS":
        return this.#appendArguments(event.toolCallId, event.delta);
      case "TOOL_CALL_RESULT":
        return this.#put({
          id: event.messageId,
          role: "tool",
          toolCallId: event.toolCallId,
          content: event.content,
        });
      default:
    }
  }

  /** Removes the messages that an attempt makes void. @returns false when there were none */
  drop({ void: voided }: CustomValues["evenkeel.attempt"]): boolean {
    return voided.map((id) => this.#messages.delete(id)).includes(true);
  }

  all(): AgUiMessage[] {
    return [...this.#messages.values()];
  }

  #put(message: AgUiMessage): void {
    this.#messages.set(message.id, message);
  }

  #append(id: string, delta: string): void {
    const message = this.#messages.get(id);
    if (message) this.#put({ ...message, content: `${String(message["content"])}${delta}` });
  }

  // A call is a message of its own, with the call's id, as the client makes it of a call without a parent message.
  #putCall(id: string, name: string, json: string): void {
    this.#put({ id, role: "assistant", toolCalls: [{ id, type: "function", function: { name, arguments: json } }] });
  }

  #appendArguments(id: string, delta: string): void {
    const calls = this.#messages.get(id)?.["toolCalls"] as
      | readonly { readonly function: { readonly name: string; readonly arguments: string } }[]
      | undefined;
    const call = calls?.[0]?.function;
    if (call) this.#putCall(id, call.name, call.arguments + delta);
  }
}
