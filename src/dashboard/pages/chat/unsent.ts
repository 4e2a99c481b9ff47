/**
 * Texts of a person that the server does not have yet: the draft in the composer, and messages under way. They are kept
 * as long as the tab, so that neither leaving the chat nor a reload loses them. A browser that blocks storage, or has
 * no space left, forgets them.
 */
import type { Problem } from "../../live/api-error.ts";
import type { Strategy } from "../../live/messages.ts";
import type { FilePart, Question } from "../../run-view/question.ts";

/** A message with the ids under which it was sent, so that sending it again makes no second run. */
export interface Unsent {
  readonly runId: string;
  readonly agentId: string;
  readonly asked: Question;
  readonly strategy: Strategy;
  /** Why it was refused; null while it is on its way. */
  readonly problem: Problem | null;
}

/** @param place a thread's id, or "new" */
export function readDraft(place: string): string {
  return read(`draft.${place}`) ?? "";
}

export function keepDraft(place: string, text: string): void {
  write(`draft.${place}`, text === "" ? null : text);
}

/** The uploaded files that go with it. */
export function readDraftFiles(place: string): FilePart[] {
  return JSON.parse(read(`files.${place}`) ?? "[]") as FilePart[];
}

export function keepDraftFiles(place: string, files: readonly FilePart[]): void {
  write(`files.${place}`, files.length === 0 ? null : JSON.stringify(files));
}

export function readUnsent(threadId: string): Unsent[] {
  // Trusted: only our own page writes here. An attacker who could write here could also send messages directly.
  const kept = JSON.parse(read(`unsent.${threadId}`) ?? "[]") as Unsent[];
  // An older version of the page kept messages in another shape.
  return kept.filter(({ asked }) => Array.isArray(asked));
}

export function keepUnsent(threadId: string, unsent: readonly Unsent[]): void {
  write(`unsent.${threadId}`, unsent.length === 0 ? null : JSON.stringify(unsent));
}

function read(name: string): string | null {
  try {
    return sessionStorage.getItem(`evenkeel.${name}`);
  } catch {
    return null;
  }
}

function write(name: string, value: string | null): void {
  try {
    if (value === null) sessionStorage.removeItem(`evenkeel.${name}`);
    else sessionStorage.setItem(`evenkeel.${name}`, value);
  } catch {
    // Storage is blocked or full: the text lasts as long as the page.
  }
}
