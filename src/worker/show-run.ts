/** Finds a run, and shows it to clients: as a resource, as the reply to a chat, as a task. Used by the routes. */
import type { Reply, Task } from "../api/chat.ts";
import type { Run as ShownRun } from "../api/runs.ts";
import { AppError } from "../core/errors.ts";
import type { OwnEngine } from "./own-engine.ts";
import { isOver, type Run } from "../core/run.ts";

/** @throws AppError RUN_NOT_FOUND */
export async function findRun(engine: OwnEngine, runId: string): Promise<Run> {
  const run = await engine.run(runId);
  if (run) return run;
  throw new AppError(
    "RUN_NOT_FOUND",
    `There is no run ${JSON.stringify(runId.slice(0, 140))}; GET /api/runs lists them.`,
  );
}

/** `GET /api/runs/{id}` and each row of the list. */
export function showRun(run: Run): ShownRun {
  const { started_at: started, finished_at: finished } = run;
  return { ...run, duration_ms: started !== null && finished !== null ? finished - started : null };
}

/** The answer of `POST /api/chat` when the run is over and did not fail. */
export function showReply(run: Run): Reply {
  return {
    run_id: run.run_id,
    thread_id: run.thread_id,
    agent_id: run.agent_id,
    status: run.status,
    reply: run.reply,
    finish_reason: run.finish_reason,
    ...(run.output !== undefined && { output: run.output }),
    usage: run.usage,
    steps: run.steps,
    duration_ms: (run.finished_at ?? Date.now()) - run.created_at,
  };
}

/** `GET /api/chat/task/{task_id}`: a run in the words of task polling. */
export function showTask(run: Run): Task {
  return {
    task_id: run.run_id,
    status: run.status === "queued" ? "pending" : run.status,
    ...(run.status === "completed" && { result: showReply(run) }),
    ...(run.finish_reason && { finish_reason: run.finish_reason }),
    ...(run.error && { error: run.error }),
  };
}

/** The error that a failed run answers with. */
export function failureOf(run: Run): AppError | undefined {
  if (!isOver(run.status) || !run.error) return undefined;
  return new AppError(run.error.code, run.error.detail, { runId: run.run_id });
}
