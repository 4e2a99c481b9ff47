/**
 * The faults, one of which strikes every few seconds. Each ends by itself in bounded time and leaves nothing behind; `why` says
 * where one cannot be made here.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { aliveOf, descendantsOf } from "../src/testing/processes.ts";
import type { Load } from "./load.ts";
import type { Site } from "./site.ts";

export interface Struck {
  readonly site: Site;
  readonly load: Load;
  readonly random: (below: number) => number;
}

export interface Fault {
  readonly name: string;
  readonly strike: (struck: Struck) => Promise<void>;
  /** Why the fault cannot be made on this site; undefined when it can. */
  readonly why?: (site: Site) => string | undefined;
}

const NEVER_READERS = 20;
const STEPS_S = ["+20", "-20", "+600", "-600", "+172800", "-172800"];

export const FAULTS: readonly Fault[] = [
  { name: "kill -9 of a worker", strike: (struck) => killOne(struck, "worker") },
  { name: "kill -9 of an agent", strike: (struck) => killOne(struck, "agent") },
  { name: "a worker stands still", strike: (struck) => pauseOne(struck, "worker") },
  { name: "an agent stands still", strike: (struck) => pauseOne(struck, "agent") },
  { name: "all processes stand still", strike: pauseAll },
  { name: "a tool blocks its agent's loop", strike: ({ load }) => harm(load, 'tool=spin_inline input={"ms":7000}') },
  { name: "a tool ends its agent", strike: ({ load }) => harm(load, "tool=exit_inline input={}") },
  { name: "the model falls silent", strike: stallUpstream },
  { name: "the model says 529", strike: overloadUpstream },
  { name: "all clients are dropped", strike: async ({ load }) => load.viewers.drop() },
  { name: "clients that never read", strike: neverRead },
  { name: "a rolling restart", strike: async ({ site }) => site.server.kill("SIGHUP") },
  { name: "the server is stopped and started", strike: ({ site }) => restart(site, "SIGTERM") },
  { name: "kill -9 of the primary", strike: ({ site }) => restart(site, "SIGKILL") },
  { name: "the clock is set", strike: setClock },
  {
    name: "the disk is full",
    strike: fillDisk,
    why: ({ parts: { engine, hasOwnDisk } }) => {
      if (engine !== "sqlite") return "the data lies in Postgres";
      return hasOwnDisk ? undefined : "only root may mount a small disk";
    },
  },
  {
    name: "the database's connections are cut",
    strike: cutDatabase,
    why: ({ parts: { link } }) => (link ? undefined : "the data is a file"),
  },
];

async function killOne({ site, random }: Struck, kind: "worker" | "agent"): Promise<void> {
  const pid = await pidOf(site, kind, random);
  if (pid !== undefined) signal(pid, "SIGKILL");
}

/** Pauses a process, sometimes for less and sometimes for more than the supervisor's limit. */
async function pauseOne({ site, random }: Struck, kind: "worker" | "agent"): Promise<void> {
  const pid = await pidOf(site, kind, random);
  if (pid === undefined) return;
  signal(pid, "SIGSTOP");
  await delay(1_000 + random(7_000));
  signal(pid, "SIGCONT");
}

/** Stops the processes as a sleeping machine does; some stops are longer than a lease. */
async function pauseAll({ site, random }: Struck): Promise<void> {
  const tree = [site.server.pid, ...descendantsOf(site.server.pid)];
  for (const pid of tree) signal(pid, "SIGSTOP");
  await delay(2_000 + random(18_000));
  for (const pid of tree) signal(pid, "SIGCONT");
}

async function harm(load: Load, tool: string): Promise<void> {
  load.harm(tool);
}

async function stallUpstream({ site, random }: Struck): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  site.parts.upstream.stall(promise);
  await delay(1_000 + random(5_000));
  resolve();
}

async function overloadUpstream({ site, random }: Struck): Promise<void> {
  site.parts.upstream.isOverloaded = true;
  await delay(1_000 + random(4_000));
  site.parts.upstream.isOverloaded = false;
}

/** Clients that request everything and read nothing; the server must close them. */
async function neverRead({ site, load }: Struck): Promise<void> {
  const runId = load.stories.at(-1)?.runId ?? "none";
  const sockets: Socket[] = [];
  for (let number = 0; number < NEVER_READERS; number += 1) {
    const socket = connect(site.place.port, "127.0.0.1").on("error", () => {});
    socket.write(`GET /api/runs/${runId}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
    sockets.push(socket.pause());
  }
  await delay(5_000);
  for (const socket of sockets) socket.destroy();
}

async function restart(site: Site, how: "SIGTERM" | "SIGKILL"): Promise<void> {
  const tree = descendantsOf(site.server.pid);
  await site.restart(how);
  await site.ready();
  const left = aliveOf(tree);
  if (left.length > 0) throw new Error(`Processes of the server before still live: ${left.join(", ")}`);
}

async function setClock({ site, random }: Struck): Promise<void> {
  await site.parts.clock.set(STEPS_S[random(STEPS_S.length)] ?? "+0");
  await delay(1_000 + random(3_000));
  await site.parts.clock.set("+0");
}

async function fillDisk({ site, random }: Struck): Promise<void> {
  const empty = site.fill();
  await delay(1_000 + random(4_000));
  empty();
}

async function cutDatabase({ site, random }: Struck): Promise<void> {
  site.parts.link?.break();
  await delay(500 + random(6_000));
  site.parts.link?.mend();
}

async function pidOf(site: Site, kind: "worker" | "agent", random: Struck["random"]): Promise<number | undefined> {
  const processes = await site.server.processes(kind).catch(() => []);
  const pids = processes.flatMap(({ pid }) => (pid !== null && aliveOf([pid]).length > 0 ? [pid] : []));
  return pids[random(pids.length)];
}

/** A process that has ended meanwhile cannot be signalled any more. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone.
  }
}
