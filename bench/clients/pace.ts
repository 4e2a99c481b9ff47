/**
 * Sends GETs at a fixed rate, evenly spaced, over as many sockets as are needed: a request never waits for another's
 * answer, so a server that stalls gets its whole queue measured (no coordinated omission). autocannon is not used for
 * this: it sends each second's requests in one burst, counts whole milliseconds, and its correction for a rate takes 1
 * ms for the interval whatever the rate is. Runs in a process of its own.
 */
import { Agent, get } from "node:http";
import { evenly } from "../lib/evenly.ts";
import { serveJobs } from "../lib/jobs.ts";
import { percentile } from "../lib/stats.ts";
import { sleep } from "../lib/wait.ts";

export interface PaceJob {
  readonly base: string;
  /** Each gets `perSecond` requests. */
  readonly paths: readonly string[];
  readonly perSecond: number;
  readonly durationMs: number;
  /** How long to wait for late answers; a request that is still open then counts with its age. */
  readonly graceMs: number;
}

export interface Latency {
  readonly requests: number;
  readonly failed: number;
  readonly unanswered: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface PaceResult {
  /** In the order of `paths`. */
  readonly latencies: readonly Latency[];
  /** How late this client itself sent, p99: the effect of the machine's load on a waiting process. */
  readonly sendLatenessP99: number;
}

serveJobs(run);

/** One path's requests. */
class Probe {
  readonly #url: string;
  readonly #agent: Agent;
  readonly #latenciesMs: number[] = [];
  // Bounded by the job's rate times its duration.
  readonly #openSince = new Map<symbol, number>();
  #failed = 0;

  constructor(url: string, agent: Agent) {
    this.#url = url;
    this.#agent = agent;
  }

  get open(): number {
    return this.#openSince.size;
  }

  send(): void {
    const id = Symbol("request");
    const sentAt = performance.now();
    this.#openSince.set(id, sentAt);
    const done = (ok: boolean) => {
      if (!this.#openSince.delete(id)) return;
      this.#latenciesMs.push(performance.now() - sentAt);
      if (!ok) this.#failed += 1;
    };
    get(this.#url, { agent: this.#agent }, (response) => {
      response.resume().on("end", () => done(response.statusCode === 200));
      response.on("error", () => done(false));
    }).on("error", () => done(false));
  }

  result(): Latency {
    const now = performance.now();
    const unanswered = [...this.#openSince.values()].map((since) => now - since);
    this.#openSince.clear();
    const all = [...this.#latenciesMs, ...unanswered];
    return {
      requests: all.length,
      failed: this.#failed,
      unanswered: unanswered.length,
      p50: percentile(all, 50),
      p99: percentile(all, 99),
      max: percentile(all, 100),
    };
  }
}

async function run({ base, paths, perSecond, durationMs, graceMs }: PaceJob): Promise<PaceResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  try {
    const probes = paths.map((path) => new Probe(base + path, agent));
    const rate = { perSecond: perSecond * probes.length, durationMs };
    const latenessMs = await evenly(rate, (index) => probes[index % probes.length]?.send());
    const deadline = performance.now() + graceMs;
    while (performance.now() < deadline && probes.some(({ open }) => open > 0)) await sleep(10);
    return { latencies: probes.map((probe) => probe.result()), sendLatenessP99: percentile(latenessMs, 99) };
  } finally {
    agent.destroy();
  }
}
