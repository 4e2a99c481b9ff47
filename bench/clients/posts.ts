/**
 * POSTs to the chat routes: one after another for their latency, many at once for their throughput. Runs in a
 * process of its own.
 */
import { Agent, request } from "node:http";
import { serveJobs } from "../lib/jobs.ts";

export interface PostsJob {
  readonly base: string;
  readonly path: string;
  readonly body: object;
  readonly concurrency: number;
  /** The job ends at the first of these two bounds. */
  readonly requests: number;
  readonly durationMs: number;
  /** Take the time until the answer holds this text, instead of until its end. */
  readonly until?: string;
  /** The status that every answer must have; 200 by default. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface PostsResult {
  readonly latenciesMs: readonly number[];
  readonly elapsedMs: number;
}

serveJobs(run);

/** @throws Error when any request failed */
async function run(job: PostsJob): Promise<PostsResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: job.concurrency });
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  let sent = 0;
  const lane = async () => {
    while (sent < job.requests && performance.now() - startedAt < job.durationMs) {
      sent += 1;
      latenciesMs.push(await post(job, agent));
    }
  };
  try {
    await Promise.all(Array.from({ length: job.concurrency }, lane));
    return { latenciesMs, elapsedMs: performance.now() - startedAt };
  } finally {
    agent.destroy();
  }
}

/** @returns the time in ms. Resolves at the end of the answer, whenever the text came. */
function post({ base, path, body, until, status = 200, headers: more }: PostsJob, agent: Agent): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const headers = { "content-type": "application/json", ...more };
  const sent = request(base + path, { method: "POST", agent, headers }, (response) => {
    let text = "";
    let foundAt: number | undefined;
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (until !== undefined && text.includes(until)) foundAt ??= performance.now();
    });
    response.on("error", reject).on("end", () => {
      const at = until === undefined ? performance.now() : foundAt;
      if (response.statusCode === status && at !== undefined) resolve(at - startedAt);
      else reject(new Error(`Unexpected answer from ${path}: ${response.statusCode} ${text.slice(0, 300)}`));
    });
  });
  sent.on("error", reject);
  const startedAt = performance.now();
  sent.end(JSON.stringify(body));
  return promise;
}
