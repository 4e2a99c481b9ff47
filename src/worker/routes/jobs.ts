/** `POST /api/jobs`: one tool as a run of its own. */
import { BEGIN_JOB } from "../../api/jobs.ts";
import { newId } from "../../core/id.ts";
import { JOB_MS, jobMessage } from "../../core/job.ts";
import { jobAgentId } from "../../core/job-id.ts";
import type { AppRouter } from "../context.ts";
import { fingerprintOf } from "../chat-request.ts";
import { accepted } from "./chat.ts";
import { serve } from "../serve.ts";

export function jobRoutes(router: AppRouter): void {
  serve(router, BEGIN_JOB, async ({ body, given, headers }, ctx, deps) => {
    const principal = ctx.state.principal.id;
    const { run, created } = await deps.engine.enqueue({
      runId: body.run_id ?? newId("run"),
      runIdChosen: typeof body.run_id === "string",
      threadId: newId("thread"),
      agentId: jobAgentId(body.tool),
      parentRunId: null,
      message: jobMessage(body.input),
      strategy: "enqueue",
      timeoutMs: body.timeout_ms ?? JOB_MS,
      metadata: body.metadata ?? {},
      principal,
      idempotencyKey: headers["idempotency-key"] ?? null,
      fingerprint: fingerprintOf(principal, { job: true, ...given }),
    });
    if (!created) ctx.set("Idempotent-Replayed", "true");
    return accepted(deps, run);
  });
}
