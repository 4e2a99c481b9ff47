/** `evenkeel runs`, `tail`, `cancel` and `retry`. */
import { shownStatus, whichRuns, type Run, type ShownStatus } from "../core/run.ts";
import { EvenkeelError, type Evenkeel } from "../client/client.ts";
import { CliError, connect, type ServerOptions } from "./connection.ts";
import { ago, table } from "./table.ts";

export interface ListOptions extends ServerOptions {
  readonly status?: ShownStatus;
  readonly agent?: string;
  readonly limit: number;
}

export async function listRuns({ status, agent, limit, ...server }: ListOptions): Promise<void> {
  const evenkeel = connect(server);
  const runs: Run[] = [];
  let before: number | undefined;
  do {
    // A page may be short and not be the last.
    const page = await runsWith(status, evenkeel, { limit: limit - runs.length, agent_id: agent, before });
    runs.push(...page.runs);
    before = page.next ?? undefined;
  } while (before !== undefined && runs.length < limit);
  const rows = runs.map((run) => [
    run.run_id,
    run.agent_id,
    shownStatus(run),
    String(run.steps),
    ago(run.created_at),
    run.title,
  ]);
  process.stdout.write(`${table([["RUN", "AGENT", "STATUS", "STEPS", "AGE", "MESSAGE"], ...rows])}\n`);
}

/** A server of an older version refuses `parked`, and to it each parked run is a running one. */
async function runsWith(status: ShownStatus | undefined, server: Evenkeel, query: Parameters<Evenkeel["runs"]>[0]) {
  try {
    return await server.runs({ ...query, ...(status && whichRuns(status)) });
  } catch (error) {
    if (!(error instanceof EvenkeelError && error.code === "INVALID_REQUEST" && /\bparked\b/.test(error.message)))
      throw error;
    if (status === "running") return server.runs({ ...query, status });
    throw new CliError("This server's version does not know parked runs; it lists them with --status running.");
  }
}

export async function tail(runId: string, server: ServerOptions): Promise<void> {
  for await (const event of connect(server).follow(runId)) process.stdout.write(`${JSON.stringify(event)}\n`);
}

export async function cancel(runId: string, server: ServerOptions): Promise<void> {
  const { status, cancel_requested: isAsked } = await connect(server).cancel(runId);
  process.stdout.write(`${runId} is ${status === "running" && isAsked ? "winding down" : status}\n`);
}

export async function retry(runId: string, server: ServerOptions): Promise<void> {
  const { run_id: retryId, status } = await connect(server).retry(runId);
  process.stdout.write(`${retryId} goes on with ${runId}; it is ${status}\n`);
}
