/**
 * The life of a child process: boot, ready, heartbeats, drain, exit. Each `main.ts` hands its service to
 * `runService` and does nothing else with signals, the channel or exit codes.
 */
import type { Channel } from "./channel.ts";
import { readSnapshot } from "./from-primary.ts";
import { heartbeatOf } from "./heartbeat.ts";
import {
  EXIT,
  HEARTBEAT_MS,
  type FromChild,
  type Gauges,
  type Notes,
  type ProcessNotes,
  type ServiceRequest,
  type Snapshot,
  type ToChild,
} from "./protocol.ts";

export interface Service {
  /** Where it listens, when the parent has to know. */
  readonly port?: number;
  inFlight(): number;
  /** The service's own figures, read with every heartbeat. */
  gauges?(): Gauges;
  /** The service's own text, read with every heartbeat and sent when it has changed. */
  notes?(): Notes;
  /** The notes of all other processes, whenever one has changed. Workers only. */
  onNotes?(processes: readonly ProcessNotes[]): void;
  /** A worker asks something of this kind of process. */
  onRequest?(request: ServiceRequest): void;
  /**
   * The latest snapshot of all processes, about once a second and whenever one came or went. A worker that has just
   * become ready is first given those of the last five minutes, oldest first.
   */
  onSnapshot?(snapshot: Snapshot): void;
  /**
   * Take nothing new, finish what is under way within `withinMs`, give back or cut off the rest, free everything.
   * Called again when less time is left than the previous call allowed, or when others no longer serve.
   *
   * @param othersServe another process of this kind serves, so nobody waits for the end of this one
   */
  drain(withinMs: number, othersServe: boolean): Promise<void>;
}

/** What a service may say to other processes, through the primary. */
export interface Outside {
  readonly request: (request: ServiceRequest) => void;
}

export interface ServiceOptions {
  readonly parent: Channel;
  /** Shown by ps and htop. */
  readonly title: string;
  readonly start: (outside: Outside) => Promise<Service>;
  /** Called with the error that ends the process, before it ends. */
  readonly onFatal: (error: unknown) => void;
  /** Called in place of `onFatal` when `start` has failed. */
  readonly onFailedStart?: (error: unknown) => void;
  /**
   * systemd and `timeout` send SIGTERM to every process at once. Workers and agents drain on it. The simulator
   * ignores it and waits for the primary's word, because agents need it while they drain: it gives no time here.
   */
  readonly sigtermDrainMs?: number;
}

export async function runService(options: ServiceOptions): Promise<void> {
  const { parent, title, start, onFatal, onFailedStart = onFatal, sigtermDrainMs } = options;
  process.title = title;
  // Ctrl-C and a closed terminal reach the whole process group; only the primary decides what they mean.
  for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => {});
  const crash = (error: unknown) => {
    onFatal(error);
    process.exit(EXIT.crashed);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
  try {
    const request = (asked: ServiceRequest) =>
      void parent.send({ type: "request", request: asked } satisfies FromChild);
    const service = await start({ request });
    const drain = attach(service, parent);
    process.on("SIGTERM", () => {
      if (sigtermDrainMs !== undefined) drain(sigtermDrainMs, false);
    });
    // Send `ready` last: from then on the primary may send snapshots, or the order to drain.
    await parent.send({ type: "ready", ...(service.port !== undefined && { port: service.port }) } satisfies FromChild);
  } catch (error) {
    onFailedStart(error);
    const detail = error instanceof Error ? error.message : String(error);
    await parent.send({ type: "failed", detail } satisfies FromChild);
    process.exit(isHopeless(error) ? EXIT.config : EXIT.crashed);
  }
}

/** @returns what drains the service and ends the process */
function attach(service: Service, parent: Channel): (withinMs: number, othersServe: boolean) => void {
  const beat = heartbeatOf(service, parent);
  setInterval(() => void beat(), HEARTBEAT_MS);
  let [endsAt, mayLinger] = [Infinity, true];
  const drain = (withinMs: number, othersServe: boolean) => {
    const isFirst = endsAt === Infinity;
    const leftMs = Math.min(withinMs, endsAt - performance.now());
    if (leftMs < withinMs && (othersServe || !mayLinger)) return;
    [endsAt, mayLinger] = [performance.now() + leftMs, mayLinger && othersServe];
    const drained = service.drain(Math.max(0, leftMs), mayLinger);
    // A rejection is a crash like any other: the handler of `unhandledRejection` logs it and exits.
    if (isFirst) void drained.then(() => process.exit(EXIT.drained));
  };
  parent.listen({
    onMessage: (message) => {
      const told = message as ToChild;
      if (told.type === "drain") drain(told.within_ms, told.others_serve);
      else tell(service, told);
    },
    onClose: () => process.exit(EXIT.crashed),
  });
  return drain;
}

function tell(service: Service, told: ToChild): void {
  switch (told.type) {
    case "history":
      for (const snapshot of told.snapshots) service.onSnapshot?.(readSnapshot(snapshot));
      break;
    case "snapshot":
      service.onSnapshot?.(readSnapshot(told.snapshot));
      break;
    case "notes":
      service.onNotes?.(told.processes);
      break;
    case "request":
      service.onRequest?.(told.request);
      break;
    case "settings":
    case "drain":
      break;
  }
}

const HOPELESS: ReadonlySet<unknown> = new Set(["CONFIG", "EADDRINUSE", "EACCES", "EADDRNOTAVAIL"]);

/** Errors that no restart mends: the supervisor gives up at once instead of trying again and again. */
function isHopeless(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code !== undefined && HOPELESS.has(code);
}
