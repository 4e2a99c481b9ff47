/** A server with a list of runs, for tests: it answers pages of the list, and single runs. */
import { NO_USAGE, type Run, type RunStatus } from "../../../core/run.ts";
import { FakeServices } from "../../live/fake-services.ts";

export class RunServer extends FakeServices {
  /** Newest first. */
  runs = [run(3), run(2), run(1)];
  /** Delays an answer on its way back. */
  delay = async (): Promise<unknown> => undefined;

  override answer = async (path: string) => {
    const runs = [...this.runs];
    await this.delay();
    const one = /^\/api\/runs\/(.+)$/.exec(path)?.[1];
    if (one !== undefined) return runs.find((run) => run.run_id === one) ?? Promise.reject({ code: "RUN_NOT_FOUND" });
    const query = new URL(path, "http://x").searchParams;
    const from = query.has("before") ? runs.findIndex(({ run_id: id }) => id === `r${query.get("before")}`) + 1 : 0;
    const end = from + Number(query.get("limit"));
    const last = runs[end - 1];
    return {
      runs: runs.slice(from, end),
      next: end < runs.length ? Number(last?.run_id.slice(1)) : null,
    };
  };
}

export function run(n: number, status: RunStatus = "running"): Run {
  return {
    run_id: `r${n}`,
    thread_id: "t",
    agent_id: "a",
    parent_run_id: null,
    retry_of: null,
    status,
    created_at: n,
    started_at: n,
    finished_at: null,
    attempts: 1,
    steps: 0,
    usage: NO_USAGE,
    spent: { dollars: 0, total_tokens: 0, total_dollars: 0 },
    reply: null,
    finish_reason: null,
    error: null,
    timeout_ms: null,
    cancel_requested: false,
    principal: "local",
    metadata: {},
    title: "",
  };
}
