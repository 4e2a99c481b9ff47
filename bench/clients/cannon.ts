/**
 * Sends requests with autocannon, as fast as the server answers: throughput and the CPU of a request. Runs in a process
 * of its own.
 */
import autocannon from "autocannon";
import { serveJobs } from "../lib/jobs.ts";

export interface CannonJob {
  readonly base: string;
  /** Paths, requested in turns. */
  readonly paths: readonly string[];
  readonly connections: number;
  readonly durationMs: number;
}

export interface CannonResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p99Ms: number;
  /** Errors, timeouts, and answers that are not 2xx. */
  readonly failed: number;
}

serveJobs(run);

async function run({ base, paths, connections, durationMs }: CannonJob): Promise<CannonResult> {
  const result = await autocannon({
    url: base,
    connections,
    duration: durationMs / 1000,
    sampleInt: 50,
    requests: paths.map((path) => ({ method: "GET", path })),
  });
  return {
    requests: result["2xx"],
    seconds: result.duration,
    p99Ms: result.latency.p99,
    failed: result.errors + result.timeouts + result.non2xx,
  };
}
