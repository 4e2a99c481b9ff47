/** What a mark on the charts says in one word, and how bad it is. */
import type { Mark } from "../store/history.ts";

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

export function subjectOf({ process }: Mark): string {
  return process ?? "the server";
}
