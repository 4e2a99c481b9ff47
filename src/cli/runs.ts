/** `evenkeel runs`, `tail`, `cancel` and `retry`. */
import { shownStatus, whichRuns, type ShownStatus } from "../core/run.ts";
import { connect, type ServerOptions } from "./connection.ts";
import { ago, table } from "./table.ts";

export interface ListOptions extends ServerOptions {
  readonly status?: ShownStatus;
  readonly agent?: string;
  readonly limit: number;
}

export async function listRuns({ status, agent, limit, ...server }: ListOptions): Promise<void> {
  const { runs } = await connect(server).runs({ limit, ...(status && whichRuns(status)), agent_id: agent });
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
