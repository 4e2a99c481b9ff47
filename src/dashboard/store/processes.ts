/** The last five minutes of all processes, kept while the page is open. Fed by the shell's subscription. */
import { signal, type ReadonlySignal } from "@preact/signals";
import { noteServerTime } from "./clock.ts";
import { History, type Snapshot } from "./history.ts";
import { subscribe } from "../live/live.ts";

/** The stored five minutes arrive as hundreds of events at once: draw once after them and not after each. */
const SETTLE_MS = 40;

export const processHistory = new History();

const newest = signal<Snapshot | null>(null);

/** Changes about once a second, together with `processHistory`. Null before the first snapshot. */
export const latest: ReadonlySignal<Snapshot | null> = newest;

/** @returns a function that ends the subscription */
export function watchProcesses(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = () => {
    timer = undefined;
    newest.value = processHistory.latest;
  };
  const end = subscribe(
    { channel: "processes", after: processHistory.lastSeq },
    {
      onEvent: (event) => {
        // The notice of a gap has no processes; the history finds gaps by itself.
        if (!isSnapshot(event)) return;
        noteServerTime(event.at);
        processHistory.add(event);
        timer ??= setTimeout(show, SETTLE_MS);
      },
      // Without this subscription the connection is shown as lost, so nothing more is reported here.
      onError: () => {},
    },
  );
  return () => {
    clearTimeout(timer);
    end();
  };
}

function isSnapshot(event: unknown): event is Snapshot {
  return Array.isArray((event as Partial<Snapshot> | null)?.processes);
}
