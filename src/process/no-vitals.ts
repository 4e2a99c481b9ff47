/** The values that are shown of a process before it has told its own. */
import type { OwnProcess, Vitals } from "./protocol.ts";

/** The vitals of a process that has sent none, or is gone. */
export const NO_VITALS: Vitals = {
  rss_bytes: 0,
  cpu_percent: 0,
  busy_percent: 0,
  cpu_granted_percent: 100,
  lag_ms: { p50: 0, p99: 0 },
  in_flight: 0,
};

/** For the fields that an older version does not send. */
export const NO_PROCESS: Omit<OwnProcess, "kind" | "id" | "state"> = {
  ...NO_VITALS,
  pid: null,
  uptime_s: 0,
  restarts: 0,
  gauges: {},
  last_exit: null,
  leaving: 0,
};
