/** What a mark on the charts says, and how bad it is. */
import type { Mark, Snapshot } from "../store/history.ts";

const MARK_WORDS: Readonly<Record<Exclude<Mark["type"], "death">, string>> = {
  stall: "stalled",
  reload: "reloaded",
  scale: "scaled",
  start: "started anew",
};

/** The token of its color; styles/tokens.css. */
export const MARK_COLORS: Readonly<Record<Mark["type"], string>> = {
  death: "--bad",
  stall: "--warn",
  reload: "--accent",
  scale: "--accent",
  start: "--bad",
};

/** What follows its subject. The detail of a death begins with a verb, as some processes die before they have started. */
export function whatHappened({ type, detail }: Pick<Mark, "type" | "detail">): string {
  if (type === "death") return detail;
  return type === "start" ? MARK_WORDS.start : `${MARK_WORDS[type]}: ${detail}`;
}

/** For example "worker 2", and "web-1-k2f9 worker 2" where there are several machines. */
export function subjectOf({ machine, process }: Mark, { machines }: Pick<Snapshot, "machines">): string {
  if (machines.length > 1) return process === null ? machine : `${machine} ${process}`;
  return process ?? "the server";
}
