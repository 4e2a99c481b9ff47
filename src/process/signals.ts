/** Signals to the primary and their meaning. The listeners stay for as long as the process lives. */

/**
 * A single Ctrl-C may arrive twice: from the terminal, and forwarded by npm. Two SIGINTs within this time count as one; a
 * person who presses twice is slower.
 */
const SAME_PRESS_MS = 200;

export interface SignalActions {
  /** Whether the server was started from a terminal. SIGHUP means then that the terminal is gone. */
  readonly isTerminal: boolean;
  /** SIGTERM, the first SIGINT, or a closed terminal. Called once. */
  readonly drain: (signal: string) => void;
  /** A second SIGINT: exit without waiting for the drain. */
  readonly quit: () => void;
  /** SIGHUP without a terminal: new processes, no downtime. */
  readonly restart: () => void;
  /** SIGTTIN: one more worker. */
  readonly more: () => void;
  /** SIGTTOU: one less. */
  readonly less: () => void;
}

export function onSignals({ isTerminal, drain, quit, restart, more, less }: SignalActions): void {
  let drainingSince: number | undefined;
  const begin = (signal: string) => {
    drainingSince = performance.now();
    drain(signal);
  };
  process.on("SIGTERM", () => {
    if (drainingSince === undefined) begin("SIGTERM");
  });
  process.on("SIGINT", () => {
    if (drainingSince === undefined) begin("SIGINT");
    else if (performance.now() - drainingSince > SAME_PRESS_MS) quit();
  });
  process.on("SIGTTIN", more);
  process.on("SIGTTOU", less);
  process.on("SIGHUP", () => {
    if (drainingSince !== undefined) return;
    if (isTerminal) begin("SIGHUP");
    else restart();
  });
}
