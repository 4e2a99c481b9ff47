/** "3 s ago" by the server's clock, renewed each second; the exact time is in the tooltip. */
import "./ago.css";
import { serverNow } from "../store/clock.ts";
import { ago, clockTime } from "./format.ts";

export function Ago({ at }: { at: number }) {
  return (
    <time class="ago" dateTime={new Date(at).toISOString()} title={clockTime(at)}>
      {ago(at, serverNow.value)}
    </time>
  );
}
