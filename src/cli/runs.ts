/** `evenkeel runs`, `tail`, `cancel` and `retry`. */
import type { Run } from "../client/client.ts";
import { connect, type ServerOptions } from "./connection.ts";
import { ago, table } from "./table.ts";

export interface ListOptions extends ServerOptions {
  readonly status?: Run["status"];
  readonly agent?: string;
  readonly limit: number;
}

export async function listRuns({ status, agent, limit, ...server }: ListOptions): Promise<void> {
  const { runs } = await connect(server).runs({ limit, status, agent_id: agent });
  const rows = runs.map(({ run_id, agent_id, status, steps, created_at, title }) => [
    run_id,
    agent_id,
    status,
    String(steps),
    ago(created_at),
    title,
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
