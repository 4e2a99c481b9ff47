/**
 * POSTs at a fixed rate over as many sockets as are needed, whatever the server answers, and tells what it admitted and what
 * it refused, and how soon. Runs in a process of its own.
 */
import { Agent, request } from "node:http";
import { evenly } from "../lib/evenly.ts";
import { serveJobs } from "../lib/jobs.ts";
import { percentile } from "../lib/stats.ts";
import { sleep } from "../lib/wait.ts";

export interface FloodJob {
  readonly base: string;
  readonly path: string;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly perSecond: number;
  readonly durationMs: number;
  /** How long to wait for late answers; a request that is still open then counts as failed. */
  readonly graceMs: number;
}

export interface FloodResult {
  readonly admitted: number;
  readonly refused: number;
  /** Of the refusals. */
  readonly refusedP50: number;
  readonly refusedP99: number;
  readonly refusedMax: number;
  /** Refusals that do not say when to come again. */
  readonly withoutRetryAfter: number;
  /** Neither 2xx, 429 nor 503; or no answer. */
  readonly failed: number;
}

serveJobs(run);

interface Answer {
  readonly status: number;
  readonly ms: number;
  readonly hasRetryAfter: boolean;
}

async function run(job: FloodJob): Promise<FloodResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  const answers: Answer[] = [];
  // Bounded by the job's rate times its duration.
  const open = new Set<symbol>();
  let sent = 0;
  try {
    await evenly(job, () => {
      const id = Symbol("request");
      sent += 1;
      open.add(id);
      post(job, agent, (answer) => {
        open.delete(id);
        if (answer) answers.push(answer);
      });
    });
    const deadline = performance.now() + job.graceMs;
    while (open.size > 0 && performance.now() < deadline) await sleep(10);
    return resultOf(sent, answers);
  } finally {
    agent.destroy();
  }
}

function post({ base, path, body, headers }: FloodJob, agent: Agent, done: (answer?: Answer) => void): void {
  const startedAt = performance.now();
  const options = { method: "POST", agent, headers: { "content-type": "application/json", ...headers } };
  const sent = request(base + path, options, (response) => {
    response.resume().on("end", () =>
      done({
        status: response.statusCode ?? 0,
        ms: performance.now() - startedAt,
        hasRetryAfter: Number(response.headers["retry-after"]) > 0,
      }),
    );
    response.on("error", () => done());
  });
  sent.on("error", () => done());
  sent.end(JSON.stringify(body));
}

function resultOf(sent: number, answers: readonly Answer[]): FloodResult {
  const admitted = answers.filter(({ status }) => status < 300).length;
  const refused = answers.filter(({ status }) => status === 429 || status === 503);
  const times = refused.map(({ ms }) => ms);
  return {
    admitted,
    refused: refused.length,
    refusedP50: percentile(times, 50),
    refusedP99: percentile(times, 99),
    refusedMax: percentile(times, 100),
    withoutRetryAfter: refused.filter(({ hasRetryAfter }) => !hasRetryAfter).length,
    failed: sent - admitted - refused.length,
  };
}
