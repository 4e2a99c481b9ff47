/**
 * The items of a run that a person sees, in order: messages, thoughts, tool calls, and errors. Made by `run-view.ts`,
 * shown by `run-items.tsx`. Items are changed in place, and `version` says so: a long answer is appended to thousands
 * of times, and nothing else of the run need be looked at for it.
 */
import type { ShownCitation } from "../../core/citation.ts";
import type { FilePart } from "./question.ts";

interface ItemBase {
  /** Unique within the run. */
  readonly key: string;
  readonly at: number;
  /** Grows with every change of the item. */
  version: number;
}

interface Voidable {
  /** A new attempt replaced the item, so it does not count. */
  isVoid: boolean;
}

export interface TextItem extends ItemBase, Voidable {
  readonly kind: "text";
  text: string;
  /** The cited sources, each page once. */
  readonly citations: ShownCitation[];
  isOpen: boolean;
}

export interface ReasoningItem extends ItemBase, Voidable {
  readonly kind: "reasoning";
  text: string;
  isOpen: boolean;
  endedAt: number | null;
}

/**
 * writing: the arguments still arrive · ready: not started · parked: it waits for the runs that it delegated ·
 * interrupted: the run ended, or was taken over, before the call ended
 */
export type ToolState = "writing" | "ready" | "running" | "parked" | "done" | "failed" | "interrupted";

/** A run that does the work of a tool call. */
export interface Delegated {
  readonly runId: string;
  readonly agentId: string;
}

export interface ToolItem extends ItemBase, Voidable {
  readonly kind: "tool";
  readonly name: string;
  /** The arguments as JSON, as far as they have arrived. */
  args: string;
  state: ToolState;
  result: string | null;
  /** Pictures and documents of its result. */
  files: readonly FilePart[];
  startedAt: number | null;
  endedAt: number | null;
  /** Bounded by the tasks that one call may hand over. */
  readonly delegated: Delegated[];
  /** The reported progress: in words, or from 0 to 1. */
  progress: string | number | null;
  /** The end of its output to stdout and stderr. */
  output: string | null;
}

export interface AttemptItem extends ItemBase {
  readonly kind: "attempt";
  readonly of: "run" | "model_call";
  readonly attempt: number;
  readonly reason: string;
  readonly waitMs: number | null;
  /** How many of the items above became void. */
  readonly voided: number;
}

export interface GapItem extends ItemBase {
  readonly kind: "gap";
  readonly after: number;
  readonly next: number;
}

export interface ParkedItem extends ItemBase {
  readonly kind: "parked";
  readonly reason: string;
}

/** From here on the model gets a shortened conversation; readers see all of it. */
export interface CompactedItem extends ItemBase {
  readonly kind: "compacted";
  readonly clearedResults: number;
  readonly summarizedMessages: number;
  readonly tokensBefore: number;
  readonly tokensAfter: number;
}

export type Item = TextItem | ReasoningItem | ToolItem | AttemptItem | GapItem | ParkedItem | CompactedItem;
export type VoidableItem = TextItem | ReasoningItem | ToolItem;
