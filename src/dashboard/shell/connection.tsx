/** Whether what is on the page is true now. It never lets old numbers pass for new ones. */
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
  // Counting in a live region would be read out each second.
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
