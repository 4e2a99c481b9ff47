/**
 * The tool `delegate`: gives tasks to other agents, each as a run of its own, waits until these runs end, and returns
 * their replies. Made for each run by `work.ts`. A child's id is derived from the call. So a parent that was taken over
 * from a dead process finds the children that it has already, and never begins one twice.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Agent } from "../../core/agent.ts";
import type { Asked } from "../../core/asked.ts";
import { AppError } from "../../core/errors.ts";
import { customEvent, isTerminal } from "../../core/event.ts";
import { isOver, type FinishReason, type NewRun, type Run } from "../../core/run.ts";
import type { Engine, RunListener } from "../../engine/engine.ts";
import type { Parking } from "../parking.ts";
import type { RunJournal } from "../run-journal.ts";
import { outlastTrouble } from "../retry-storage.ts";
import { inlineTool } from "./inline.ts";
import type { Tool } from "./invoke.ts";
import { reasonOf } from "./text.ts";
import { defineTool, type ToolContext } from "./tool.ts";

export const DELEGATE = "delegate";

export interface DelegateOptions {
  /** The agent that has the tool. */
  readonly agent: Agent;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly engine: Engine;
  readonly journal: RunJournal;
  readonly parking: Parking;
  /** What the request of the delegating run asked. */
  readonly asked: Asked;
}

/**
 * More tasks are refused with a sentence: each is a run, and one client's run may lead to at most MAX_DELEGATED_RUNS.
 */
const MAX_TASKS = 16;

interface Task {
  readonly agent_id: string;
  readonly message: string;
}

/** The outcome of one task, for the model to read. */
type TaskResult =
  | { readonly agent_id: string; readonly status: "completed"; readonly reply: string }
  | { readonly agent_id: string; readonly status: "failed" | "canceled"; readonly error: string };

export function delegateTool(options: DelegateOptions): Tool {
  const { agent, agents } = options;
  const each = agent.delegates.map((id) => `${id}: ${agents.get(id)?.description || "no description"}`);
  const defined = defineTool({
    description:
      "Hands work to another agent, which knows nothing of this conversation but the message, and returns its reply. " +
      `Send one task as agent_id and message, or several as tasks: they run side by side, and the results come ` +
      `in their order, whichever failed.\n${each.join("\n")}`,
    input: inputOf(agent.delegates),
    // When it is repeated after a crash, the call waits for the same child.
    effects: "idempotent",
    // The child has a time limit, and so has this run: no third limit between them.
    timeoutMs: agent.limits.timeoutMs,
    run: ({ agent_id, message, tasks }, context) => {
      if (tasks) return delegateAll(tasks, context, options);
      return delegate({ agent_id: agent_id ?? "", message: message ?? "" }, context, options);
    },
  });
  return { ...inlineTool(defined), contained: true };
}

/** One shape for both inputs, because the JSON Schema of a tool cannot offer a choice between objects. */
function inputOf(delegates: readonly string[]) {
  const agentId = z.enum(delegates).describe("Who does it.");
  const message = z.string().min(1).describe("All that it has to know.");
  return z
    .object({
      agent_id: agentId.optional(),
      message: message.optional(),
      tasks: z
        .array(z.object({ agent_id: agentId, message }))
        .min(1)
        .max(MAX_TASKS)
        .optional(),
    })
    .refine(
      ({ agent_id, message: text, tasks }) =>
        tasks ? agent_id === undefined && text === undefined : agent_id !== undefined && text !== undefined,
      { error: "expected either agent_id and message, or tasks" },
    );
}

/** @returns the child's reply. @throws Error whose text the model reads, when the child failed */
async function delegate(task: Task, context: ToolContext, options: DelegateOptions): Promise<string> {
  const runId = await begin(task, { context, key: keyOf(context), options });
  return replyOf(await options.parking.wait(endOf(options.engine, runId, context.signal)));
}

/**
 * @returns the outcome of each task, in order. @throws AppError when the run may delegate no more; then it begins no
 * other
 */
async function delegateAll(
  tasks: readonly Task[],
  context: ToolContext,
  options: DelegateOptions,
): Promise<readonly TaskResult[]> {
  const { engine, parking } = options;
  const runIds: string[] = [];
  // Start the tasks one after the other: the journal then names them in order, and no task is tried after a refusal.
  for (const [index, task] of tasks.entries())
    runIds.push(await begin(task, { context, key: [...keyOf(context), String(index)], options }));
  // Wait for all tasks at once: the run is parked while its calls do nothing else.
  const ends = parking.wait(Promise.allSettled(runIds.map((runId) => endOf(engine, runId, context.signal))));
  const results = await ends;
  context.signal.throwIfAborted();
  return results.map((end, index) => resultOf(tasks[index]?.agent_id ?? "", end));
}

/** A retry delegates anew: what the run before it delegated was canceled with it. */
function keyOf({ runId, idempotencyKey: key }: ToolContext): readonly string[] {
  return key.startsWith(`${runId}:`) ? [key] : [runId, key];
}

interface Beginning {
  readonly context: ToolContext;
  /** Names the call and the task in it: the child's id is made from it. */
  readonly key: readonly string[];
  readonly options: DelegateOptions;
}

/** When this run ends before the child, the engine cancels the child in the same transaction. @returns the child's id */
async function begin(task: Task, { context, key, options }: Beginning): Promise<string> {
  const { signal, toolCallId } = context;
  const { run } = await outlastTrouble(() => options.engine.enqueue(childOf(task, context, { key, options })), signal);
  // The run ended while the child was being stored: its journal is closed.
  signal.throwIfAborted();
  const value = { tool_call_id: toolCallId, run_id: run.run_id, agent_id: task.agent_id };
  options.journal.emit(customEvent("evenkeel.waiting", { reason: `delegated to ${task.agent_id}`, ...value }));
  return run.run_id;
}

function childOf(
  { agent_id: agentId, message }: Task,
  { runId, metadata }: ToolContext,
  { key, options: { asked } }: Omit<Beginning, "context">,
): NewRun {
  const id = digestOf(key).slice(0, 20);
  return {
    runId: `run_${id}`,
    runIdChosen: true,
    // A thread of its own: in the parent's thread, the child would wait for its parent's end.
    threadId: `thread_${id}`,
    agentId,
    parentRunId: runId,
    message,
    ...(asked.background && { asked: { background: true } }),
    strategy: "enqueue",
    timeoutMs: null,
    metadata,
    principal: "",
    idempotencyKey: null,
    fingerprint: digestOf([...key, agentId, message]),
  };
}

/** Rejects with the signal's reason when the signal is aborted, with RUN_NOT_FOUND when the run was deleted. */
async function endOf(engine: Engine, runId: string, signal: AbortSignal): Promise<Run> {
  const { promise: ended, resolve, reject } = Promise.withResolvers<Run>();
  const see = (run: Run | undefined) => {
    if (!run) reject(new AppError("RUN_NOT_FOUND", `Run ${runId}, which did the work, was deleted.`));
    else if (isOver(run.status)) resolve(run);
  };
  const look = () => {
    outlastTrouble(() => engine.run(runId), signal).then(see, reject);
  };
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  const listener: RunListener = {
    onEvents: (events) => {
      if (events.some(({ type }) => isTerminal(type))) look();
    },
    onDeleted: look,
  };
  const following = outlastTrouble(() => engine.follow(runId, listener), signal);
  // The run may have ended before it was followed.
  following.then(look, reject);
  try {
    // Await `ended` in the tick that made it: a rejection that nobody awaits ends the process, and it may come first.
    return await ended;
  } finally {
    signal.removeEventListener("abort", onAbort);
    following.then(
      (follower) => follower.stop(),
      () => {},
    );
  }
}

function resultOf(agentId: string, end: PromiseSettledResult<Run>): TaskResult {
  if (end.status === "rejected") return { agent_id: agentId, status: "failed", error: reasonOf(end.reason) };
  const { status, error } = end.value;
  if (status === "completed") return { agent_id: agentId, status, reply: wholeReplyOf(end.value) };
  if (status === "canceled") return { agent_id: agentId, status, error: "It was canceled." };
  return { agent_id: agentId, status: "failed", error: error?.detail ?? "It failed." };
}

function replyOf(run: Run): string {
  const { agent_id: agentId, status, error } = run;
  if (status === "completed") return wholeReplyOf(run);
  throw new Error(status === "canceled" ? `${agentId} was canceled.` : `${agentId} failed: ${error?.detail ?? "?"}`);
}

/** The reply. When it is cut off, the text says so. */
function wholeReplyOf({ reply, finish_reason: reason }: Run): string {
  const shortfall = reason && SHORTFALLS[reason];
  return `${reply ?? ""}${shortfall ? `\n[${shortfall}]` : ""}`;
}

const SHORTFALLS: Readonly<Partial<Record<FinishReason, string>>> = {
  max_tokens: "This reply was cut off at its token limit.",
  refusal: "The model refused to go on.",
  step_limit: "The step limit was reached before the work was done.",
  time_limit: "The time was up before the work was done.",
  budget: "The budget was used up before the work was done.",
};

function digestOf(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
