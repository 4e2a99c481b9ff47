/**
 * The life of a child process: boot, ready, heartbeats, drain, exit. Each `main.ts` hands its service to
 * `runService` and does nothing else with signals, IPC or exit codes.
 */
import { startWatchdog } from "./watchdog.ts";
import { EXIT, HEARTBEAT_MS, type FromChild, type Gauges, type Snapshot, type ToChild } from "./protocol.ts";
import { VitalsMeter } from "./vitals.ts";

export interface Service {
  /** Where it listens, when the parent has to know. */
  readonly port?: number;
  inFlight(): number;
  /** Figures of its own, read with every heartbeat. */
  gauges?(): Gauges;
  /** The latest snapshot of all processes, about once a second and whenever one came or went. */
  onSnapshot?(snapshot: Snapshot): void;
  /** Take nothing new, finish what is under way within the time the service was given, free everything. */
  drain(): Promise<void>;
}

export interface ServiceOptions {
  /** Shown by ps and htop. */
  readonly title: string;
  readonly start: () => Promise<Service>;
  /** Told of what ends the process, before it ends. */
  readonly onFatal: (error: unknown) => void;
  /**
   * systemd and `timeout` send SIGTERM to every process at once. Those who serve users drain on it; those
   * whom others need while they drain ignore it and wait for the primary's word. Default "drain".
   */
  readonly onSigterm?: "drain" | "ignore";
}

export async function runService({ title, start, onFatal, onSigterm = "drain" }: ServiceOptions): Promise<void> {
  process.title = title;
  startWatchdog();
  // Ctrl-C and a closed terminal reach the whole process group; only the primary decides what they mean.
  for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => {});
  const crash = (error: unknown) => {
    onFatal(error);
    process.exit(EXIT.crashed);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  try {
    const service = await start();
    const drain = attach(service);
    process.on("SIGTERM", () => onSigterm === "drain" && drain());
    // Last: from here on the parent may say, or send, whatever it likes.
    await send({ type: "ready", ...(service.port !== undefined && { port: service.port }) });
  } catch (error) {
    onFatal(error);
    await send({ type: "failed", detail: error instanceof Error ? error.message : String(error) });
    process.exit(isHopeless(error) ? EXIT.config : EXIT.crashed);
  }
}

/** @returns what drains the service and ends the process */
function attach(service: Service): () => void {
  const meter = new VitalsMeter();
  const beat = () =>
    void send({ type: "heartbeat", vitals: meter.read(service.inFlight()), gauges: service.gauges?.() ?? {} });
  setInterval(beat, HEARTBEAT_MS);

  let draining = false;
  const drain = () => {
    if (draining) return;
    draining = true;
    // A rejection here is a crash like any other: the handler above logs it and exits.
    void service.drain().then(() => process.exit(EXIT.drained));
  };
  process.on("disconnect", () => process.exit(EXIT.crashed));
  // The parent died while we booted: that event is over, and the watchdog took the wrong process for our parent.
  if (!process.connected) process.exit(EXIT.crashed);
  process.on("message", (message: ToChild) => {
    if (message.type === "drain") drain();
    else service.onSnapshot?.(message.snapshot);
  });
  return drain;
}

/** Resolves when the message is written, or cannot be any more: a dead parent is the watchdog's business. */
function send(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, {}, () => resolve());
    else resolve();
  });
}

const HOPELESS: ReadonlySet<unknown> = new Set(["CONFIG", "EADDRINUSE", "EACCES", "EADDRNOTAVAIL"]);

/** Errors that no restart mends: the supervisor gives up at once instead of trying again and again. */
function isHopeless(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code !== undefined && HOPELESS.has(code);
}
