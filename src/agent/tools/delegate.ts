/**
 * The tool `delegate`: hands work to another agent as a run of its own, waits for its end, and answers with its
 * reply. Made for each run by `work.ts`. The child's id follows from the call, so that a parent that was taken
 * over from a dead process finds the child that it has already, and never begins a second one.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Agent } from "../../core/agent.ts";
import { AppError } from "../../core/errors.ts";
import { customEvent, isTerminal } from "../../core/event.ts";
import { isOver, type NewRun, type Run } from "../../core/run.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Parking } from "../parking.ts";
import type { RunJournal } from "../run-journal.ts";
import { outlastTrouble } from "../retry-storage.ts";
import { inlineTool } from "./inline.ts";
import type { Tool } from "./invoke.ts";
import { defineTool, type ToolContext } from "./tool.ts";

export const DELEGATE = "delegate";

const LOOK_AGAIN_MS = 5_000;

export interface DelegateOptions {
  /** Whose tool it is. */
  readonly agent: Agent;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly engine: Engine;
  readonly journal: RunJournal;
  readonly parking: Parking;
}

interface Work {
  readonly agent_id: string;
  readonly message: string;
}

export function delegateTool(options: DelegateOptions): Tool {
  const { agent, agents } = options;
  const each = agent.delegates.map((id) => `${id}: ${agents.get(id)?.description || "no description"}`);
  const defined = defineTool({
    description:
      "Hands work to another agent, which knows nothing of this conversation but the message, and returns its reply. " +
      `Several calls at once run side by side.\n${each.join("\n")}`,
    input: z.object({
      agent_id: z.enum(agent.delegates).describe("Who does it."),
      message: z.string().min(1).describe("All that it has to know."),
    }),
    // Repeated after a crash, it waits for the same child.
    effects: "idempotent",
    // The child has a time limit, and so has this run: no third one between them.
    timeoutMs: agent.limits.timeoutMs,
    run: (work, context) => delegate(work, context, options),
  });
  return { ...inlineTool(defined), contained: true };
}

/**
 * When this run ends before it, the child is canceled with that end, by the engine.
 * @returns the child's reply. @throws Error for the model to read, when the child came to nothing
 */
async function delegate(
  work: Work,
  context: ToolContext,
  { engine, journal, parking }: DelegateOptions,
): Promise<string> {
  const { signal, toolCallId } = context;
  const { run } = await outlastTrouble(() => engine.enqueue(childOf(work, context)), signal);
  // Ended while the child was being stored: this run's journal is closed.
  signal.throwIfAborted();
  const value = { tool_call_id: toolCallId, run_id: run.run_id, agent_id: work.agent_id };
  journal.emit(customEvent("evenkeel.waiting", { reason: `delegated to ${work.agent_id}`, ...value }));
  return replyOf(await parking.wait(endOf(engine, run.run_id, signal)));
}

function childOf({ agent_id: agentId, message }: Work, { runId, idempotencyKey }: ToolContext): NewRun {
  const id = digestOf([idempotencyKey]).slice(0, 20);
  return {
    runId: `run_${id}`,
    runIdChosen: true,
    // A conversation of its own: in the parent's it would wait for its parent's end.
    threadId: `thread_${id}`,
    agentId,
    parentRunId: runId,
    message,
    strategy: "enqueue",
    timeoutMs: null,
    metadata: {},
    principal: "",
    idempotencyKey: null,
    fingerprint: digestOf([idempotencyKey, agentId, message]),
  };
}

/** Rejects with the signal's reason when it is aborted, with RUN_NOT_FOUND when the run was deleted. */
async function endOf(engine: Engine, runId: string, signal: AbortSignal): Promise<Run> {
  const { promise: ended, resolve, reject } = Promise.withResolvers<Run>();
  const see = (run: Run | undefined) => {
    if (!run) reject(new AppError("RUN_NOT_FOUND", `Run ${runId}, which did the work, was deleted.`));
    else if (isOver(run.status)) resolve(run);
  };
  // With a disk in trouble the next look comes.
  const look = () => void engine.run(runId).then(see, () => {});
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  const follower = engine.follow(runId, (events) => {
    if (events.some(({ type }) => isTerminal(type))) look();
  });
  // A journal does not tell that it was deleted, nor what came before it was followed.
  const timer = setInterval(look, LOOK_AGAIN_MS);
  try {
    look();
    return await ended;
  } finally {
    clearInterval(timer);
    follower.stop();
    signal.removeEventListener("abort", onAbort);
  }
}

function replyOf({ agent_id: agentId, status, reply, error }: Run): string {
  if (status === "completed") return reply ?? "";
  throw new Error(status === "canceled" ? `${agentId} was canceled.` : `${agentId} failed: ${error?.detail ?? "?"}`);
}

function digestOf(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
