/** Clients that ask for a run's events and then never read. Run in a process of their own. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { WebSocket } from "ws";
import { serveJobs } from "../lib/jobs.ts";
import type { Transport } from "./viewers.ts";

export type MutesJob =
  | ({ readonly op: "open" } & OpenMutes)
  /** Starts to read. Resolves with the way in which each connection was closed. */
  | { readonly op: "read on" }
  /**
   * A client that reads but answers no ping, as if its network were gone. Resolves with the time until the server
   * closed it, in ms.
   */
  | { readonly op: "silent"; readonly base: string }
  | { readonly op: "close" };

export interface OpenMutes {
  readonly base: string;
  readonly transport: Transport;
  readonly runId: string;
  readonly clients: number;
}

/** A client that is still open after this time counts as not closed. Each has 4 MB to read before it sees the close. */
const CLOSE_TIMEOUT_MS = 20_000;

interface Mute {
  readonly tcp: Socket;
  readonly closed: Promise<number>;
}

const mutes: Mute[] = [];

async function openSocket({ base, runId }: OpenMutes): Promise<Mute> {
  const ws = new WebSocket(`${base.replace("http", "ws")}/ws`);
  const closed = new Promise<number>((resolve) => ws.once("close", resolve));
  ws.on("error", () => {});
  await once(ws, "open");
  const { _socket: tcp } = ws as unknown as { _socket: Socket };
  tcp.pause();
  ws.send(JSON.stringify({ op: "subscribe", id: "1", channel: "run", run_id: runId }));
  return { tcp, closed };
}

async function openStream({ base, runId }: OpenMutes): Promise<Mute> {
  const { hostname, port, host } = new URL(base);
  const tcp = connect({ host: hostname, port: Number(port) });
  const closed = new Promise<number>((resolve) => tcp.once("close", () => resolve(0)));
  tcp.on("error", () => {}).pause();
  await once(tcp, "connect");
  tcp.write(`GET /api/runs/${runId}/events HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`);
  return { tcp, closed };
}

async function open(options: OpenMutes): Promise<void> {
  const openOne = options.transport === "socket" ? openSocket : openStream;
  mutes.push(...(await Promise.all(Array.from({ length: options.clients }, () => openOne(options)))));
}

async function readOn(): Promise<number[]> {
  for (const { tcp } of mutes) tcp.resume();
  // A client that the server did not close is destroyed late, and reports 0 or 1006.
  const giveUp = setTimeout(closeAll, CLOSE_TIMEOUT_MS);
  const codes = await Promise.all(mutes.map(({ closed }) => closed));
  clearTimeout(giveUp);
  return codes;
}

function closeAll(): void {
  for (const { tcp } of mutes) tcp.destroy();
}

async function silent(base: string): Promise<number> {
  const ws = new WebSocket(`${base.replace("http", "ws")}/ws`, { autoPong: false });
  ws.on("error", () => {});
  await once(ws, "open");
  const openedAt = performance.now();
  await once(ws, "close");
  return performance.now() - openedAt;
}

serveJobs(async (job: MutesJob) => {
  if (job.op === "open") return open(job);
  if (job.op === "silent") return silent(job.base);
  if (job.op === "read on") return readOn();
  closeAll();
  mutes.length = 0;
  return undefined;
});
