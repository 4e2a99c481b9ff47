/** One clock for every "3 s ago" on the page: a timer per element would wake the page a hundred times a second. */
import { signal, type ReadonlySignal } from "@preact/signals";

const TICK_MS = 1_000;
const time = signal(Date.now());

/** Epoch milliseconds, renewed each second. */
export const now: ReadonlySignal<number> = time;

setInterval(() => (time.value = Date.now()), TICK_MS);
