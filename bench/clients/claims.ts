/** Claims runs over its own connection to the storage, as an agent process does. Runs in a process of its own. */
import type { DatabaseSettings } from "../../src/engine/driver.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { openEngine } from "../../src/engine/open.ts";
import { serveJobs } from "../lib/jobs.ts";

export interface OpenClaims {
  readonly database: DatabaseSettings;
  readonly dataDir: string;
  /** The owner's process. */
  readonly process: string;
}

export type ClaimsJob =
  | ({ readonly op: "open" } & OpenClaims)
  /** Claims until no run is left. */
  | { readonly op: "claim"; readonly limit: number }
  | { readonly op: "close" };

export interface ClaimsResult {
  /** The runs that were claimed, in order. */
  readonly runIds: readonly string[];
}

const OWNER = { machine: "bench", boot: "boot 1" };
const LEASE_MS = 60_000;
let engine: Engine | undefined;
let process = "";

serveJobs(async (job: ClaimsJob): Promise<ClaimsResult> => {
  if (job.op === "open") {
    process = job.process;
    const limits = { queued: Number.MAX_SAFE_INTEGER };
    engine = await openEngine({ ...job, ...OWNER, durability: "full", limits });
  }
  if (job.op === "close") await engine?.close();
  return { runIds: job.op === "claim" && engine ? await claimAll(engine, job.limit) : [] };
});

async function claimAll(from: Engine, limit: number): Promise<string[]> {
  const runIds: string[] = [];
  for (;;) {
    const claims = await from.claim({ owner: { ...OWNER, process }, limit, leaseMs: LEASE_MS });
    if (claims.length === 0) return runIds;
    runIds.push(...claims.map(({ run }) => run.run_id));
  }
}
