/** What a mark on the charts says in one word, and how bad it is. */
import type { Mark, Snapshot } from "../store/history.ts";

export const MARK_WORDS: Readonly<Record<Mark["type"], string>> = {
  death: "died",
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

/** For example "worker 2", and "web-1-k2f9 worker 2" where there are several machines. */
export function subjectOf({ machine, process }: Mark, { machines }: Pick<Snapshot, "machines">): string {
  if (machines.length > 1) return process === null ? machine : `${machine} ${process}`;
  return process ?? "the server";
}
