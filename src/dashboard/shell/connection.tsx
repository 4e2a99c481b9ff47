/** Shows whether the page is up to date, so that old numbers never look current. */
import { now } from "../store/clock.ts";
import { seconds } from "../ui/format.ts";
import { connection } from "../live/live.ts";

export function ConnectionState() {
  const { state, lastSeenAt } = connection.value;
  return (
    <p class={`connection connection-${state}`} role="status">
      <span class="connection-dot" aria-hidden="true" />
      <span>{wordsOf(state, lastSeenAt)}</span>
    </p>
  );
}

function wordsOf(state: "connecting" | "live" | "lost", lastSeenAt: number | null) {
  if (state === "live") return "Live";
  if (state === "connecting") return "Connecting";
  // A screen reader would read out the counter of a live region each second.
  const counter = <span aria-hidden="true">{lastSeenAt === null ? "" : seenAgo(lastSeenAt)}</span>;
  return (
    <>
      {lastSeenAt === null ? "Server cannot be reached" : "Reconnecting"}
      {counter}
    </>
  );
}

function seenAgo(at: number): string {
  return `, last seen ${seconds(Math.round((now.value - at) / 1_000))} ago`;
}
