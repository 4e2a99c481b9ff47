/**
 * The agent loop of one run: model call, tools, model call … until the model has nothing more to ask for. Each step ends
 * in a checkpoint, and the loop always starts from the last one: a run that was taken over from a dead process goes the
 * same way as a new one. It returns how the run ended and leaves the settling to `work.ts`.
 */
import type { PreparedAgent } from "../core/agent.ts";
import { AppError } from "../core/errors.ts";
import { MODEL_STEP } from "../core/event.ts";
import { textOf, toolUsesOf, type Message, type ToolUseBlock } from "../core/message.ts";
import { addUsage, type FinishReason, type Run, type Usage } from "../core/run.ts";
import type { Engine, Turn } from "../engine/engine.ts";
import { isCut, type Answer } from "./answer.ts";
import { withFiles } from "./attachments.ts";
import { Attempts } from "./attempts.ts";
import { brokenOff, type Ending } from "./ending.ts";
import { lastWord, stepsLeft, type Limit } from "./history/notes.ts";
import { Transcript } from "./history/transcript.ts";
import { isBlank } from "./history/well-formed.ts";
import type { RefreshTools } from "./mcp/live-tools.ts";
import { ask, type Asking } from "./model-step.ts";
import { outlastTrouble } from "./retry-storage.ts";
import { refuseCalls, runCalls, type Calling } from "./tool-step.ts";

export interface LoopOptions extends Omit<Asking, "attempts">, Calling {
  readonly run: Run;
  readonly agent: PreparedAgent;
  readonly engine: Engine;
  readonly refreshTools: RefreshTools;
  /** Aborted when the run's time is nearly up: what is left is for the last word. Aborted after `signal` as well. */
  readonly late: AbortSignal;
}

/** Never rejects. */
export async function runLoop(options: LoopOptions): Promise<Ending> {
  const attempts = new Attempts(options.journal, MODEL_STEP);
  const loop = new Loop(options, attempts);
  try {
    return await loop.run();
  } catch (error) {
    return brokenOff(error, attempts, { usage: loop.usage, model: options.agent.model });
  }
}

class Loop {
  readonly #options: LoopOptions;
  readonly #attempts: Attempts;
  #turns: readonly Turn[] = [];
  // Of this run, the ones of older checkpoints included.
  #messages: Message[] = [];
  #transcript: Transcript | undefined;
  #steps: number;
  // No step was made yet under this claim: only then the ledger may have calls of a dead owner.
  #isResumed = true;
  #limit: Limit | undefined;

  constructor(options: LoopOptions, attempts: Attempts) {
    this.#options = options;
    this.#attempts = attempts;
    this.#steps = options.run.steps;
  }

  get usage(): Usage {
    return addUsage(this.#options.run.usage, this.#attempts.usage);
  }

  async run(): Promise<Ending> {
    const { engine, run, signal } = this.#options;
    this.#turns = await outlastTrouble(() => engine.history(run.run_id), signal);
    this.#messages = [...(this.#turns.at(-1)?.messages ?? [])];
    for (;;) {
      signal.throwIfAborted();
      const ending = await this.#step();
      if (ending) return ending;
      this.#isResumed = false;
    }
  }

  /** @returns undefined when the run goes on */
  async #step(): Promise<Ending | undefined> {
    const last = this.#messages.at(-1);
    const uses = last ? toolUsesOf(last) : [];
    this.#limit ??= this.#limitMet(Math.max(1, uses.length));
    if (uses.length > 0) return this.#toolStep(uses);
    return this.#limit ? this.#lastWord(this.#limit) : this.#modelStep();
  }

  #limitMet(next: number): Limit | undefined {
    if (this.#steps + next > this.#options.agent.limits.maxSteps) return "step_limit";
    return this.#options.late.aborted ? "time_limit" : undefined;
  }

  async #modelStep(): Promise<Ending | undefined> {
    const { content, stopReason } = await this.#ask(true);
    this.#steps += 1;
    if (stopReason === "refusal") return this.#refused(content);
    const calls = toolUsesOf({ role: "assistant", content });
    const goesOn = calls.length > 0 || stopReason === "pause_turn";
    const cut = isCut(stopReason) && !goesOn;
    const message: Message = { ...this.#answer(content), ...(cut && { cut: "max_tokens" }) };
    if (!goesOn) return this.#over(message, cut ? "max_tokens" : "stop");
    await this.#keep(message, [{ type: "STEP_FINISHED", stepName: MODEL_STEP }]);
    return undefined;
  }

  async #toolStep(uses: readonly ToolUseBlock[]): Promise<undefined> {
    const { agent, journal } = this.#options;
    const { maxSteps } = agent.limits;
    if (this.#limit) {
      const content = refuseCalls(uses, this.#limit, journal);
      await this.#keep({ role: "user", content, note: lastWord(this.#limit, maxSteps) });
      return;
    }
    const content = await runCalls(this.#options, { uses, steps: this.#steps, isResumed: this.#isResumed });
    this.#steps += uses.filter(({ cut }) => !cut).length;
    this.#limit ??= this.#limitMet(1);
    const note = this.#limit ? lastWord(this.#limit, maxSteps) : stepsLeft(maxSteps - this.#steps);
    await this.#keep({ role: "user", content, ...(note && { note }) });
  }

  /** The limit is met: one more call, without tools, so that what was done is not for nothing. */
  async #lastWord(limit: Limit): Promise<Ending> {
    const { agent } = this.#options;
    const note = lastWord(limit, agent.limits.maxSteps);
    if (this.#messages.at(-1)?.note !== note) await this.#keep({ role: "user", content: [], note });
    const { content } = await this.#ask(false);
    this.#steps += 1;
    const message = this.#answer(content.filter(({ type }) => type !== "tool_use"));
    if (!isBlank(textOf(message))) return this.#over(message, limit);
    throw new AppError(
      limit === "step_limit" ? "STEP_LIMIT" : "RUN_TIMEOUT",
      `The run met its limit (limits.${limit === "step_limit" ? "maxSteps" : "timeoutMs"} of agent ${agent.agentId}), and the model had no last word.`,
    );
  }

  async #ask(mayCallTools: boolean): Promise<Answer> {
    const { tools, refreshTools, signal, agent, engine } = this.#options;
    const missing = await refreshTools(signal);
    const hasTools = tools.size > 0;
    // Tools of MCP servers come and go: without any, the API refuses the calls of before.
    if (this.#transcript?.audience.hasTools !== hasTools) {
      this.#transcript = new Transcript({ model: agent.model, hasTools, maxResultCharacters: MAX_RESULT_CHARACTERS });
      for (const turn of this.#turns.slice(0, -1)) this.#transcript.add(turn);
      const current = this.#turns.at(-1);
      if (current) this.#transcript.add({ ...current, messages: this.#messages });
    }
    const { messages } = this.#transcript;
    const filled = await outlastTrouble(() => withFiles(messages, engine.files), signal);
    return ask({ ...this.#options, attempts: this.#attempts }, { messages: filled, more: missing, mayCallTools });
  }

  #answer(content: Answer["content"]): Message {
    return { role: "assistant", content, model: this.#options.agent.model };
  }

  /** A step is over: it counts, whatever happens to the run. */
  async #keep(message: Message, events: Parameters<LoopOptions["journal"]["checkpoint"]>[1] = []): Promise<void> {
    const isEmpty = message.content.length === 0 && message.note === undefined;
    const messages = isEmpty ? [] : [message];
    await this.#options.journal.checkpoint({ messages, usage: this.usage, steps: this.#steps }, events);
    this.#attempts.end();
    for (const kept of messages) {
      this.#messages.push(kept);
      this.#transcript?.push(kept);
    }
  }

  #over(message: Message, finishReason: FinishReason): Ending {
    // The API refuses empty messages in a history, so an empty answer is not kept.
    const messages = message.content.length > 0 ? [message] : [];
    const outcome = { status: "completed", reply: textOf(message), finishReason } as const;
    return { outcome, messages, usage: this.usage, steps: this.#steps };
  }

  #refused(content: Answer["content"]): Ending {
    const message = this.#answer(content.filter(({ type }) => type === "text"));
    if (!isBlank(textOf(message))) return this.#over(message, "refusal");
    const detail = `The model ${this.#options.agent.model} refused to answer. Its thread goes on without this message.`;
    throw new AppError("MODEL_REFUSED", detail);
  }
}

/** All results of one round of tool calls together, as the model gets them. */
const MAX_RESULT_CHARACTERS = 512 * 1024;
