/**
 * Shows in three places that the server cannot be reached: in a bar over the page, in the tab's title and in its icon.
 */
import { useEffect } from "preact/hooks";
import { connection } from "../live/live.ts";
import { clockTime } from "../ui/format.ts";

const LOST_ICON = new URL("./icon-lost.svg", import.meta.url).href;

export function DisconnectedBar() {
  const { state, lastSeenAt } = connection.value;
  if (state !== "lost") return null;
  return (
    <p class="lost-bar" role="alert">
      <strong>Disconnected.</strong>{" "}
      {lastSeenAt === null
        ? "The server cannot be reached."
        : `What you see is from ${clockTime(lastSeenAt)}, by this browser's clock.`}{" "}
      It is asked again every few seconds.
    </p>
  );
}

/** @param title of the page, or none */
export function useTab(title: string | undefined): void {
  const isLost = connection.value.state === "lost";
  useEffect(() => {
    document.title = `${isLost ? "(disconnected) " : ""}${title === undefined ? "" : `${title} · `}evenkeel`;
  }, [title, isLost]);
  useEffect(() => {
    if (!isLost) return undefined;
    const icon = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    const before = icon?.href;
    if (icon) icon.href = LOST_ICON;
    return () => {
      if (icon && before !== undefined) icon.href = before;
    };
  }, [isLost]);
}
