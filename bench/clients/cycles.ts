/**
 * Clients that send one request after another over a connection that each of them keeps. Nothing is sent again: every request
 * that is not answered with its status counts as failed. Runs in a process of its own.
 */
import { Agent, request } from "node:http";
import { serveJobs } from "../lib/jobs.ts";
import { sleep } from "../lib/wait.ts";

export interface OpenCycles {
  readonly base: string;
  readonly clients: number;
}

export type CyclesJob = ({ readonly op: "open" } & OpenCycles) | { readonly op: "count" } | { readonly op: "close" };

export interface CyclesResult {
  readonly requests: number;
  readonly failed: number;
  /** How many the clients opened, one after another. */
  readonly connections: number;
  /** The first few. */
  readonly reasons: readonly string[];
}

const PAUSE_MS = 5;
const SHOWN = 5;
const CHAT = JSON.stringify({ agent_id: "bench", message: "/sim ttft=0 rate=0 tokens=1" });

const counts = { requests: 0, failed: 0, connections: 0, reasons: [] as string[] };
const stopping = new AbortController();
let lanes: Promise<void>[] = [];

serveJobs(async (job: CyclesJob): Promise<CyclesResult> => {
  if (job.op === "open") lanes = Array.from({ length: job.clients }, () => lane(job.base));
  if (job.op === "close") {
    stopping.abort();
    await Promise.all(lanes);
  }
  return counts;
});

async function lane(base: string): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let index = 0; !stopping.signal.aborted; index += 1) {
    const path = index % 10 === 9 ? "/api/chat" : index % 2 === 0 ? "/health" : "/api/activities";
    const problem = await send(`${base}${path}`, agent, path === "/api/chat" ? CHAT : undefined);
    counts.requests += 1;
    if (problem !== undefined) fail(`${path}: ${problem}`);
    await sleep(PAUSE_MS);
  }
  agent.destroy();
}

function fail(reason: string): void {
  counts.failed += 1;
  if (counts.reasons.length < SHOWN) counts.reasons.push(reason);
}

/** @returns what is wrong with the answer */
function send(url: string, agent: Agent, body: string | undefined): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const method = body === undefined ? "GET" : "POST";
  const sent = request(url, { method, agent, headers: { "content-type": "application/json" } }, (response) => {
    const problem = response.statusCode === 200 ? undefined : `status ${response.statusCode}`;
    response.resume().on("end", () => resolve(problem));
    response.on("error", (error) => resolve(error.message));
  });
  sent.on("socket", () => {
    if (!sent.reusedSocket) counts.connections += 1;
  });
  sent.on("error", (error) => resolve(error.message));
  sent.end(body);
  return promise;
}
