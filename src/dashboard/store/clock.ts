/** One clock for every "3 s ago" on the page: a timer per element would wake the page a hundred times a second. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { connection } from "../live/live.ts";
import { ClockOffset } from "./clock-offset.ts";

const TICK_MS = 1_000;
const time = signal(Date.now());
const offset = new ClockOffset();
const aheadMs = signal(0);

/** Epoch milliseconds by this browser's clock, renewed each second while the page is visible. */
export const now: ReadonlySignal<number> = time;

/**
 * The same by the server's clock, whose times the page shows. It stops while the connection is lost, because the page
 * then does not know whether a run still runs.
 */
export const serverNow: ReadonlySignal<number> = computed(() => {
  const { state, lastSeenAt } = connection.value;
  return (state === "lost" ? (lastSeenAt ?? time.value) : time.value) + aheadMs.value;
});

/** @param at the server's time, which has just arrived */
export function noteServerTime(at: number): void {
  aheadMs.value = offset.note(at, Date.now());
}

setInterval(tick, TICK_MS);
document.addEventListener("visibilitychange", tick);

function tick(): void {
  if (!document.hidden) time.value = Date.now();
}
