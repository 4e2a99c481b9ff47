/** How a worker asks for another number of processes, in the text of its request. Read by the supervisor. */
import type { ChildKind } from "./protocol.ts";

export interface ScaleRequest {
  readonly kind: ChildKind;
  /** "default": what the settings say. */
  readonly count: number | "default";
}

/** @returns undefined for any other text: the request may come from code that is not ours */
export function readScaleRequest(about: string): ScaleRequest | undefined {
  const [, kind, count] = /^(worker|agent)=(\d{1,3}|default)$/.exec(about) ?? [];
  if (kind === undefined) return undefined;
  return { kind: kind as ChildKind, count: count === "default" ? count : Number(count) };
}
