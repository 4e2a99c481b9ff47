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
  // In the order that the client shows. Grows with the answer of one run, which the run's limits bound.
  #messages: Map<string, AgUiMessage>;

  /** @param before what the client sent: a snapshot replaces all that it has */
  constructor(before: readonly AgUiMessage[]) {
    this.#messages = new Map(before.map((message) => [message.id, message]));
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
        return this.#putResult({
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

  /** Like the client, puts a result behind its call and behind the results that follow the call already. */
  #putResult(result: AgUiMessage): void {
    const messages = this.all();
    const call = messages.findIndex(({ id }) => id === result["toolCallId"]);
    const next = call < 0 ? -1 : messages.findIndex(({ role }, index) => index > call && role !== "tool");
    messages.splice(next < 0 ? messages.length : next, 0, result);
    this.#messages = new Map(messages.map((message) => [message.id, message]));
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

/** A call is a message of its own, with the call's id, as the client makes it of a call without a parent message. */
function callMessage(id: string, name: string, json: string): AgUiMessage {
  return { id, role: "assistant", toolCalls: [{ id, type: "function", function: { name, arguments: json } }] };
}
