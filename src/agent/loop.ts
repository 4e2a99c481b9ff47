/**
 * The agent loop of one run: model call, tools, model call … until the model has nothing more to ask for.
 * Each step ends in a checkpoint, and the loop always starts from the last one: a run that was taken over
 * from a dead process goes the same way as a new one.
 */
import type Anthropic from "@anthropic-ai/sdk";
import type { MessageCreateParamsStreaming, MessageParam } from "@anthropic-ai/sdk/resources/messages";
import type { Agent } from "../core/agent.ts";
import { AppError } from "../core/errors.ts";
import { MODEL_STEP } from "../core/event.ts";
import { textOf, toolUsesOf, type Message, type ToolUseBlock } from "../core/message.ts";
import { addUsage, type Run, type Usage } from "../core/run.ts";
import type { Engine } from "../engine/engine.ts";
import type { Breaker } from "./breaker.ts";
import { callModel } from "./model.ts";
import type { RefreshTools } from "./mcp/live-tools.ts";
import type { ModelMeter } from "./model-meter.ts";
import type { Parking } from "./parking.ts";
import type { RunJournal } from "./run-journal.ts";
import { outlastTrouble } from "./retry-storage.ts";
import { runTools, type ToolRound } from "./tools/execute.ts";
import type { Tools } from "./tools/invoke.ts";
import { describeTools } from "./tools/registry.ts";

export interface LoopOptions {
  readonly run: Run;
  readonly agent: Agent;
  readonly engine: Engine;
  readonly client: Anthropic;
  /** Those of this run. */
  readonly tools: Tools;
  readonly refreshTools: RefreshTools;
  readonly parking: Parking;
  readonly takeTurn: ToolRound["takeTurn"];
  readonly meter: ModelMeter;
  readonly breaker: Breaker;
  readonly journal: RunJournal;
  readonly modelIdleMs: number;
  readonly signal: AbortSignal;
}

/** What is known after the last step. */
interface Progress {
  readonly messages: readonly Message[];
  readonly usage: Usage;
  readonly steps: number;
  /** No step was made yet under this claim. */
  readonly resumed: boolean;
}

/** Runs to the end and settles the run as completed. @throws AppError why it failed; the signal's reason */
export async function runLoop(options: LoopOptions): Promise<void> {
  const { engine, run } = options;
  let progress: Progress = {
    messages: await outlastTrouble(() => engine.history(run.run_id), options.signal),
    usage: run.usage,
    steps: run.steps,
    resumed: true,
  };
  for (;;) {
    const uses = toolUsesOf(progress.messages.at(-1) ?? { role: "user", content: "" });
    const next = uses.length > 0 ? await toolStep(options, progress, uses) : await modelStep(options, progress);
    if (!next) return;
    progress = next;
  }
}

/** @returns undefined when that was the last word, which is settled already */
async function modelStep(options: LoopOptions, progress: Progress): Promise<Progress | undefined> {
  const { agent, journal, client, meter, breaker, modelIdleMs: idleMs, signal } = options;
  assertStepsLeft(agent, progress.steps + 1);
  const missing = await options.refreshTools(signal);
  const params = paramsOf(options, progress.messages, missing);
  const { content, usage } = await callModel({ client, params, journal, meter, breaker, idleMs, signal });
  const message: Message = { role: "assistant", content };
  const step = { usage: addUsage(progress.usage, usage), steps: progress.steps + 1 };
  // The API refuses empty messages in a history, so an empty answer is not kept.
  const messages = content.length > 0 ? [message] : [];
  if (toolUsesOf(message).length === 0) {
    await journal.settle({ ...step, messages }, { status: "completed", reply: textOf(message) });
    return undefined;
  }
  await journal.checkpoint({ ...step, messages }, [{ type: "STEP_FINISHED", stepName: MODEL_STEP }]);
  return { ...step, messages: [...progress.messages, message], resumed: false };
}

async function toolStep(options: LoopOptions, progress: Progress, uses: readonly ToolUseBlock[]): Promise<Progress> {
  const { run, engine, agent, journal, tools, parking, takeTurn, signal } = options;
  const steps = progress.steps + uses.length;
  assertStepsLeft(agent, steps);
  // Only the first step after a claim can find calls of a dead owner.
  const ledger = progress.resumed ? await outlastTrouble(() => engine.toolCalls(run.run_id), signal) : [];
  const context = { signal, runId: run.run_id, threadId: run.thread_id };
  const results = await runTools({ uses, ledger, tools, journal, steps: progress.steps, parking, takeTurn, context });
  const message: Message = { role: "user", content: results };
  await journal.checkpoint({ messages: [message], steps });
  return { ...progress, steps, messages: [...progress.messages, message], resumed: false };
}

function assertStepsLeft({ agentId, limits }: Agent, steps: number): void {
  if (steps <= limits.maxSteps) return;
  throw new AppError(
    "STEP_LIMIT",
    `The run needs more than the ${limits.maxSteps} steps that agent ${agentId} allows (limits.maxSteps).`,
  );
}

function paramsOf(
  { agent, tools }: LoopOptions,
  messages: readonly Message[],
  missingTools: readonly string[],
): MessageCreateParamsStreaming {
  const { model, maxTokens, thinking } = agent;
  const system = [agent.system ?? [], missingTools].flat().join("\n\n");
  const described = describeTools(tools);
  return {
    model,
    max_tokens: maxTokens,
    stream: true,
    // Stored content is what the API sent or what it documents as input; its types are a subset of theirs.
    messages: messages as unknown as MessageParam[],
    ...(system !== "" && { system }),
    ...(described.length > 0 && { tools: described }),
    ...(thinking === "adaptive" && { thinking: { type: "adaptive", display: "summarized" } }),
    ...(typeof thinking === "number" && { thinking: { type: "enabled", budget_tokens: thinking } }),
  };
}
