/**
 * A run as a UI message stream v1 of the AI SDK (https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol), which `useChat`
 * reads. One run is one assistant message; the run's id is the message's id. Tools run on the server, so they are
 * "dynamic" and "provider executed". What an attempt makes void leaves the message by `reset-step`.
 */
import { textInJournal, type CustomValues } from "../core/event.ts";
import { dataLine, DONE, type StoredEvent, type StreamEncoder } from "./encoder.ts";

/** Our tools are not known to the client's types, and the client must not run them. */
const OUR_TOOL = { dynamic: true, providerExecuted: true } as const;

const FINISH_REASONS: Readonly<Record<string, string>> = {
  stop: "stop",
  max_tokens: "length",
  refusal: "content-filter",
  error: "error",
};

export class AiSdkStream implements StreamEncoder {
  readonly headers = { "x-vercel-ai-ui-message-stream": "v1" };
  #isInStep = false;
  // The arguments of calls that are still being written. Bounded by one model answer.
  readonly #calls = new Map<string, { readonly name: string; json: string }>();

  encode(event: StoredEvent): string {
    switch (event.type) {
      case "RUN_STARTED":
        return dataLine({
          type: "start",
          messageId: event.runId,
          messageMetadata: { run_id: event.runId, thread_id: event.threadId },
        });
      case "STEP_STARTED":
        return event.stepName === "model" ? this.#beginStep() : "";
      case "TEXT_MESSAGE_START":
        return dataLine({ type: "text-start", id: event.messageId });
      case "TEXT_MESSAGE_CONTENT":
        return dataLine({ type: "text-delta", id: event.messageId, delta: event.delta });
      case "TEXT_MESSAGE_END":
        return dataLine({ type: "text-end", id: event.messageId });
      case "REASONING_MESSAGE_START":
        return dataLine({ type: "reasoning-start", id: event.messageId });
      case "REASONING_MESSAGE_CONTENT":
        return dataLine({ type: "reasoning-delta", id: event.messageId, delta: event.delta });
      case "REASONING_MESSAGE_END":
        return dataLine({ type: "reasoning-end", id: event.messageId });
      case "TOOL_CALL_START":
      case "TOOL_CALL_ARGS":
      case "TOOL_CALL_END":
      case "TOOL_CALL_RESULT":
        return this.#tool(event);
      case "CUSTOM":
        return this.#custom(event.name, event.value);
      case "RUN_FINISHED":
      case "RUN_ERROR":
        return this.#end(event);
      default:
        return "";
    }
  }

  #beginStep(): string {
    const finishStep = this.#finishStep();
    this.#isInStep = true;
    return `${finishStep}${dataLine({ type: "start-step" })}`;
  }

  #finishStep(): string {
    if (!this.#isInStep) return "";
    this.#isInStep = false;
    return dataLine({ type: "finish-step" });
  }

  #tool(event: Extract<StoredEvent, { toolCallId: string }>): string {
    const { toolCallId } = event;
    const call = this.#calls.get(toolCallId);
    switch (event.type) {
      case "TOOL_CALL_START":
        this.#calls.set(toolCallId, { name: event.toolCallName, json: "" });
        return dataLine({ type: "tool-input-start", toolCallId, toolName: event.toolCallName, ...OUR_TOOL });
      case "TOOL_CALL_ARGS":
        if (call) call.json += event.delta;
        return dataLine({ type: "tool-input-delta", toolCallId, inputTextDelta: event.delta });
      case "TOOL_CALL_END":
        this.#calls.delete(toolCallId);
        return call ? inputOf(toolCallId, call) : "";
      default:
        return event.isError
          ? dataLine({ type: "tool-output-error", toolCallId, errorText: textInJournal(event.content), ...OUR_TOOL })
          : dataLine({ type: "tool-output-available", toolCallId, output: event.content, ...OUR_TOOL });
    }
  }

  #custom(name: string, value: unknown): string {
    // `reset-step` removes all parts of the step. The step holds only the model call that is made again.
    if (name === "evenkeel.attempt" && (value as CustomValues["evenkeel.attempt"]).void.length > 0) {
      this.#calls.clear();
      return dataLine({ type: "reset-step" });
    }
    if (name === "evenkeel.citation") {
      const { message_id: id, title, url } = value as CustomValues["evenkeel.citation"];
      if (url !== undefined) return dataLine({ type: "source-url", sourceId: `${id} ${url}`, url, title });
    }
    // Transient parts go to `onData` and never become a part of the message.
    return dataLine({ type: `data-${name.replaceAll(".", "-")}`, data: value, transient: true });
  }

  #end(event: Extract<StoredEvent, { type: "RUN_FINISHED" | "RUN_ERROR" }>): string {
    const finishStep = this.#finishStep();
    if (event.type === "RUN_ERROR")
      return `${finishStep}${dataLine({ type: "error", errorText: event.message })}${dataLine({ type: "finish", finishReason: "error" })}${DONE}`;
    if (event.outcome?.type === "cancelled")
      return `${finishStep}${dataLine({ type: "abort", reason: "The run was canceled." })}${DONE}`;
    const reason = (event.result as { finish_reason?: string } | undefined)?.finish_reason ?? "stop";
    const finish = {
      type: "finish",
      finishReason: FINISH_REASONS[reason] ?? "other",
      messageMetadata: { finish_reason: reason, usage: event.usage },
    };
    return `${finishStep}${dataLine(finish)}${DONE}`;
  }
}

function inputOf(
  toolCallId: string,
  { name: toolName, json }: { readonly name: string; readonly json: string },
): string {
  try {
    const input: unknown = json === "" ? {} : JSON.parse(json);
    return dataLine({ type: "tool-input-available", toolCallId, toolName, input, ...OUR_TOOL });
  } catch {
    const errorText = "The arguments of the call are not JSON.";
    return dataLine({ type: "tool-input-error", toolCallId, toolName, input: json, errorText, ...OUR_TOOL });
  }
}
