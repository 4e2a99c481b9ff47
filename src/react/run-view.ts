/** What a run has shown so far, made of its events one by one. Pure; called by `run-store.ts`. */
import { textInJournal } from "../core/event.ts";
import type { ClientEvent } from "../client/client.ts";

/** A piece of the answer, in the order in which the pieces began. */
export type RunPart =
  | { readonly type: "text"; readonly id: string; readonly text: string }
  | { readonly type: "reasoning"; readonly id: string; readonly text: string }
  | {
      readonly type: "tool";
      readonly id: string;
      readonly name: string;
      /** The arguments as JSON, as far as the model has written them. */
      readonly input: string;
      /** Undefined until the tool has ended. */
      readonly result?: string;
      readonly isError: boolean;
    };

export interface RunView {
  readonly status: "queued" | "running" | "completed" | "failed" | "canceled";
  readonly parts: readonly RunPart[];
  /** All text of the answer so far. */
  readonly text: string;
  /** Why it failed. */
  readonly error?: { readonly code: string; readonly message: string };
  /** Of the last event in it: what `follow` takes as `after`. */
  readonly seq: number;
}

export const EMPTY_RUN: RunView = { status: "queued", parts: [], text: "", seq: 0 };

export function withEvent(view: RunView, event: ClientEvent): RunView {
  const next = { ...view, seq: event.seq };
  const parts = partsAfter(view.parts, event);
  if (parts !== view.parts) return { ...next, parts, text: textOf(parts) };
  switch (event.type) {
    case "CUSTOM":
      return event.name === "evenkeel.claimed" ? { ...next, status: "running" } : next;
    case "RUN_FINISHED":
      return { ...next, status: event.outcome?.type === "cancelled" ? "canceled" : "completed" };
    case "RUN_ERROR":
      return { ...next, status: "failed", error: { code: event.code ?? "INTERNAL", message: event.message } };
    default:
      return next;
  }
}

/** The same list when the event adds nothing to it. */
function partsAfter(parts: readonly RunPart[], event: ClientEvent): readonly RunPart[] {
  switch (event.type) {
    case "TEXT_MESSAGE_START":
      return [...parts, { type: "text", id: event.messageId, text: "" }];
    case "REASONING_MESSAGE_START":
      return [...parts, { type: "reasoning", id: event.messageId, text: "" }];
    case "TOOL_CALL_START":
      return [...parts, { type: "tool", id: event.toolCallId, name: event.toolCallName, input: "", isError: false }];
    case "TEXT_MESSAGE_CONTENT":
    case "REASONING_MESSAGE_CONTENT":
      return changed(parts, event.messageId, (part) => "text" in part && { ...part, text: part.text + event.delta });
    case "TOOL_CALL_ARGS":
      return changed(
        parts,
        event.toolCallId,
        (part) => "input" in part && { ...part, input: part.input + event.delta },
      );
    case "TOOL_CALL_RESULT": {
      const isError = event.isError ?? false;
      const result = textInJournal(event.content);
      return changed(parts, event.toolCallId, (part) => part.type === "tool" && { ...part, result, isError });
    }
    case "CUSTOM": {
      if (event.name !== "evenkeel.attempt") return parts;
      // A new attempt makes them anew.
      const gone = new Set((event.value as { void: readonly string[] }).void);
      return gone.size === 0 ? parts : parts.filter(({ id }) => !gone.has(id));
    }
    default:
      return parts;
  }
}

/** The newest part of that id: some endpoints give calls of two answers the same one. */
function changed(
  parts: readonly RunPart[],
  id: string,
  change: (part: RunPart) => RunPart | false,
): readonly RunPart[] {
  const index = parts.findLastIndex((part) => part.id === id);
  const part = parts[index];
  const after = part && change(part);
  return after ? parts.with(index, after) : parts;
}

function textOf(parts: readonly RunPart[]): string {
  return parts.flatMap((part) => (part.type === "text" && part.text !== "" ? [part.text] : [])).join("\n\n");
}
