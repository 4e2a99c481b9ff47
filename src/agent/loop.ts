/**
 * The agent loop of one run: model call, tools, model call … until the model has nothing more to ask for.
 * Each step ends in a checkpoint, and the loop always starts from the last one: a run that was taken over
 * from a dead process goes the same way as a new one.
 */
import type { MessageCreateParamsStreaming, MessageParam } from "@anthropic-ai/sdk/resources/messages";
import type { Agent } from "../core/agent.ts";
import { AppError } from "../core/errors.ts";
import { MODEL_STEP } from "../core/event.ts";
import { textOf, toolUsesOf, type Message, type ToolUseBlock } from "../core/message.ts";
import { addUsage, type Run, type Usage } from "../core/run.ts";
import type { Engine } from "../engine/engine.ts";
import type { Audience, ModelMessage } from "./history/model-message.ts";
import { Transcript } from "./history/transcript.ts";
import type { Log } from "../observe/log.ts";
import { callModel, type ModelAccess } from "./model.ts";
import type { RefreshTools } from "./mcp/live-tools.ts";
import type { Parking } from "./parking.ts";
import type { RunJournal } from "./run-journal.ts";
import { outlastTrouble } from "./retry-storage.ts";
import { runTools, type ToolRound } from "./tools/execute.ts";
import type { Tools } from "./tools/invoke.ts";
import { describeTools } from "./tools/registry.ts";

/** All results of one round of tool calls together, as the model gets them. */
const MAX_RESULT_CHARACTERS = 512 * 1024;

export interface LoopOptions {
  readonly run: Run;
  readonly agent: Agent;
  readonly engine: Engine;
  /** Those of this run. */
  readonly tools: Tools;
  readonly refreshTools: RefreshTools;
  readonly parking: Parking;
  readonly takeTurn: ToolRound["takeTurn"];
  readonly model: ModelAccess;
  readonly journal: RunJournal;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What is known after the last step. */
interface Progress {
  /** The last message of the run: it says whether a model or a tool step comes next. */
  readonly last: Message | undefined;
  readonly usage: Usage;
  readonly steps: number;
  /** No step was made yet under this claim. */
  readonly resumed: boolean;
}

/** Runs to the end and settles the run as completed. @throws AppError why it failed; the signal's reason */
export async function runLoop(options: LoopOptions): Promise<void> {
  const { engine, run } = options;
  const turns = await outlastTrouble(() => engine.history(run.run_id), options.signal);
  const transcript = new Transcript(audienceOf(options));
  for (const turn of turns) transcript.add(turn);
  let progress: Progress = {
    last: turns.at(-1)?.messages.at(-1),
    usage: run.usage,
    steps: run.steps,
    resumed: true,
  };
  for (;;) {
    const uses = progress.last ? toolUsesOf(progress.last) : [];
    const next =
      uses.length > 0
        ? await toolStep(options, progress, uses)
        : await modelStep(options, progress, transcript.messages);
    if (!next) return;
    progress = next;
    if (next.last) transcript.push(next.last);
  }
}

/** @returns undefined when that was the last word, which is settled already */
async function modelStep(
  options: LoopOptions,
  progress: Progress,
  said: readonly ModelMessage[],
): Promise<Progress | undefined> {
  const { agent, journal, model, signal } = options;
  assertStepsLeft(agent, progress.steps + 1);
  const missing = await options.refreshTools(signal);
  const params = paramsOf(options, said, missing);
  const { content, usage } = await callModel({ ...model, params, journal, signal });
  const message: Message = { role: "assistant", content, model: params.model };
  const step = { usage: addUsage(progress.usage, usage), steps: progress.steps + 1 };
  const messages = content.length > 0 ? [message] : [];
  if (toolUsesOf(message).length === 0) {
    await journal.settle({ ...step, messages }, { status: "completed", reply: textOf(message) });
    return undefined;
  }
  await journal.checkpoint({ ...step, messages }, [{ type: "STEP_FINISHED", stepName: MODEL_STEP }]);
  return { ...step, last: message, resumed: false };
}

async function toolStep(options: LoopOptions, progress: Progress, uses: readonly ToolUseBlock[]): Promise<Progress> {
  const { run, engine, agent, journal, tools, parking, takeTurn, log, signal } = options;
  const steps = progress.steps + uses.length;
  assertStepsLeft(agent, steps);
  // Only the first step after a claim can find calls of a dead owner.
  const ledger = progress.resumed ? await outlastTrouble(() => engine.toolCalls(run.run_id), signal) : [];
  const context = {
    signal,
    runId: run.run_id,
    threadId: run.thread_id,
    agentId: agent.agentId,
    principal: run.principal,
    metadata: run.metadata,
  };
  const results = await runTools({
    uses,
    ledger,
    tools,
    journal,
    steps: progress.steps,
    parking,
    takeTurn,
    log,
    context,
  });
  const message: Message = { role: "user", content: results };
  await journal.checkpoint({ messages: [message], steps });
  return { ...progress, steps, last: message, resumed: false };
}

function assertStepsLeft({ agentId, limits }: Agent, steps: number): void {
  if (steps <= limits.maxSteps) return;
  throw new AppError(
    "STEP_LIMIT",
    `The run needs more than the ${limits.maxSteps} steps that agent ${agentId} allows (limits.maxSteps).`,
  );
}

function audienceOf({ agent, tools }: LoopOptions): Audience {
  return { model: agent.model, hasTools: tools.size > 0, maxResultCharacters: MAX_RESULT_CHARACTERS };
}

function paramsOf(
  { agent, tools }: LoopOptions,
  messages: readonly ModelMessage[],
  missingTools: readonly string[],
): MessageCreateParamsStreaming {
  const { model, maxTokens, thinking } = agent;
  const system = [agent.system ?? [], missingTools].flat().join("\n\n");
  const described = describeTools(tools);
  return {
    model,
    max_tokens: maxTokens,
    stream: true,
    // `Transcript` renders what the API takes; blocks of a type that the SDK does not know go back as they came.
    messages: messages as unknown as MessageParam[],
    ...(system !== "" && { system }),
    ...(described.length > 0 && { tools: described }),
    ...(thinking === "adaptive" && { thinking: { type: "adaptive", display: "summarized" } }),
    ...(typeof thinking === "number" && { thinking: { type: "enabled", budget_tokens: thinking } }),
  };
}
