/** Works on a job: one call of one tool, through the same ledger and journal as a call that a model makes. */
import { AppError } from "../core/errors.ts";
import { newId } from "../core/id.ts";
import { JOB_MS, jobInput } from "../core/job.ts";
import { textOf, textOfResult } from "../core/message.ts";
import type { Run } from "../core/run.ts";
import type { Claim } from "../engine/engine.ts";
import { brokenOff, type Ending } from "./ending.ts";
import { liveTools } from "./mcp/live-tools.ts";
import { outlastTrouble } from "./retry-storage.ts";
import type { RunJournal } from "./run-journal.ts";
import { RunTime } from "./run-time.ts";
import { noSuchTool, runTools } from "./tools/execute.ts";
import { keysOf } from "./tools/idempotency-key.ts";
import { failure, type Tool } from "./tools/invoke.ts";
import type { RunHandles, WorkDeps } from "./work-deps.ts";

type JobHandles = Pick<RunHandles, "abort" | "parking" | "trials"> & { readonly journal: RunJournal };
type JobClaim = Pick<Claim, "run" | "spentMs" | "trialMs">;

export interface JobWork {
  /** The tool's name. */
  readonly name: string;
  readonly claim: JobClaim;
  readonly deps: WorkDeps;
  readonly handles: JobHandles;
}

/** Never rejects. */
export async function runJob({ name, claim, deps, handles }: JobWork): Promise<Ending> {
  const { run } = claim;
  const { abort } = handles;
  const timeoutMs = run.timeout_ms ?? JOB_MS;
  try {
    using _time = new RunTime(claim, { limits: { timeoutMs, maxSteps: 1 } }, abort);
    const { content, isError } = await call(name, claim, { deps, handles, timeoutMs });
    if (isError) throw new AppError("TOOL_FAILED", content);
    return { outcome: { status: "completed", reply: content }, messages: [], usage: run.usage, steps: 1 };
  } catch (error) {
    return brokenOff(error, { said: [] }, { usage: run.usage, model: "" });
  }
}

interface CallParts {
  readonly deps: WorkDeps;
  readonly handles: JobHandles;
  readonly timeoutMs: number;
}

async function call(name: string, { run, trialMs }: JobClaim, { deps, handles, timeoutMs }: CallParts) {
  const { engine, log } = deps;
  const { journal, parking, trials, abort } = handles;
  const { signal } = abort;
  const [turns, ledger, tools] = await Promise.all([
    outlastTrouble(() => engine.history(run.run_id), signal),
    outlastTrouble(() => engine.toolCalls(run.run_id), signal),
    toolsFor(name, deps, signal),
  ]);
  const [message] = turns.at(-1)?.messages ?? [];
  const input = jobInput(message ? textOf(message) : "");
  const id = ledger[0]?.toolCallId ?? newId("toolu");
  if (ledger.length === 0) tell(journal, { id, name, input });
  const [result] = await runTools({
    uses: [{ type: "tool_use", id, name, input }],
    ledger,
    tools,
    journal,
    steps: 0,
    parking,
    tryAlone: (work) => trials.run({ runId: run.run_id, trialMs, signal }, work),
    files: engine.files,
    log,
    keyOf: keysOf({ run, engine, signal }),
    context: { signal, timeoutMs, ...contextOf(run) },
  });
  return { content: textOfResult(result?.content ?? ""), isError: result?.is_error === true };
}

/** Writes the call into the journal as a model's answer would, so that readers learn the tool and its input. */
function tell(journal: RunJournal, { id, name, input }: { id: string; name: string; input: object }): void {
  journal.emit({ type: "TOOL_CALL_START", toolCallId: id, toolCallName: name });
  journal.args(id, JSON.stringify(input));
  journal.emit({ type: "TOOL_CALL_END", toolCallId: id });
}

function contextOf(run: Run) {
  const { run_id: runId, thread_id: threadId, agent_id: agentId, principal, metadata } = run;
  return { runId, threadId, agentId, principal, metadata };
}

/**
 * The one tool of the job: from `config/tools/`, or from an MCP server, whose name stands before `__`. A tool that is
 * not there is one that says why.
 */
async function toolsFor(name: string, { tools, mcp }: WorkDeps, signal: AbortSignal): Promise<Map<string, Tool>> {
  const own = tools.get(name);
  if (own) return new Map([[name, own]]);
  const found = new Map<string, Tool>();
  const [server = ""] = name.split("__");
  const missing = await liveTools(found, [server], mcp)(signal);
  const there = name.includes("__") ? found : tools;
  return new Map([[name, found.get(name) ?? absent(missing[0] ?? noSuchTool(name, there))]]);
}

function absent(why: string): Tool {
  const invoke = () => Promise.resolve(failure(why));
  return { description: "", inputSchema: { type: "object" }, effects: "pure", contained: true, invoke };
}
