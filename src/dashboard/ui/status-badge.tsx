/** A run's or a process's state: a dot and a word, so that color is never the only sign. */
import "./status-badge.css";

/** status → tone; the tones are in styles/common.css. */
const TONES: Readonly<Record<string, string>> = {
  queued: "idle",
  idle: "idle",
  stopped: "mute",
  pending: "idle",
  starting: "busy",
  running: "busy",
  parked: "warn",
  draining: "warn",
  restarting: "warn",
  ready: "ok",
  live: "ok",
  completed: "ok",
  ok: "ok",
  failed: "bad",
  stalled: "bad",
  silent: "bad",
  canceled: "mute",
};

export function StatusBadge({ status }: { status: string }) {
  return <span class={`badge tone-${TONES[status] ?? "idle"}`}>{status}</span>;
}
