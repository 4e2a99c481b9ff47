/**
 * The agent loop of one run: model call, tools, model call … until the model calls no tool any more. Each step ends in
 * a checkpoint, and the loop always starts from the last one: a run that was taken over from a dead process takes the
 * same path as a new one. The loop returns how the run ended; `work.ts` settles it.
 */
import { tooLarge, type PreparedAgent } from "../core/agent.ts";
import type { Asked } from "../core/asked.ts";
import { AppError, hasCode } from "../core/errors.ts";
import { COMPACT_STEP, MODEL_STEP, type RunEvent } from "../core/event.ts";
import { textOf, toolUsesOf, type Message, type ToolUseBlock } from "../core/message.ts";
import { addUsage, type FinishReason, type Run, type Usage } from "../core/run.ts";
import type { Engine } from "../engine/engine.ts";
import { isCut, type Answer } from "./answer.ts";
import { withFiles } from "./attachments.ts";
import { Attempts } from "./attempts.ts";
import { Conversation } from "./conversation.ts";
import { brokenOff, speechless, type Ending } from "./ending.ts";
import { charactersOf } from "./history/compaction.ts";
import { askedInWords, isMisfit, lastWord, misfit, stepsLeft, unfit, type Limit } from "./history/notes.ts";
import { tooLongIn } from "./history/too-long.ts";
import { isBlank } from "./history/well-formed.ts";
import type { AskBudget } from "./budget.ts";
import type { RefreshTools } from "./mcp/live-tools.ts";
import { makeRoom } from "./make-room.ts";
import { ask, type Asking } from "./model-step.ts";
import { outlastTrouble } from "./retry-storage.ts";
import { outputOf } from "./output.ts";
import { quiet } from "./summary.ts";
import { refuseCalls, runCalls, type Calling } from "./tool-step.ts";
import { isForMedia, withoutMedia } from "./unreadable.ts";
import { describeTools } from "./tools/registry.ts";

export interface LoopOptions extends Omit<Asking, "attempts">, Calling {
  readonly run: Run;
  readonly agent: PreparedAgent;
  readonly engine: Engine;
  readonly refreshTools: RefreshTools;
  readonly askBudget: AskBudget;
  /** What the request asked beyond its message. */
  readonly asked: Asked;
  /**
   * Aborted when the run's time is nearly up: the rest of the time is for the last word. Aborted after `signal` as
   * well.
   */
  readonly late: AbortSignal;
}

/** Never rejects. */
export async function runLoop(options: LoopOptions): Promise<Ending> {
  const attempts = new Attempts(options.journal, MODEL_STEP);
  const loop = new Loop(options, attempts);
  try {
    return await loop.run();
  } catch (error) {
    return brokenOff(error, attempts, { usage: loop.usage, model: options.choice.model });
  }
}

class Loop {
  readonly #options: LoopOptions;
  readonly #attempts: Attempts;
  // The attempts at summaries: they are paid for like any other, but readers see nothing of them.
  readonly #summaries: Attempts;
  #conversation: Conversation;
  #steps: number;
  // True until this claim has made a step: only then may the ledger have calls of a dead owner.
  #isResumed = true;
  #limit: Limit | undefined;
  #hasUnreadable = false;

  constructor(options: LoopOptions, attempts: Attempts) {
    this.#options = options;
    this.#attempts = attempts;
    this.#summaries = new Attempts(quiet(options.journal), COMPACT_STEP);
    this.#conversation = new Conversation(options.agent, options.choice, []);
    this.#steps = options.run.steps;
  }

  get usage(): Usage {
    return addUsage(this.#options.run.usage, addUsage(this.#attempts.usage, this.#summaries.usage));
  }

  async run(): Promise<Ending> {
    const { engine, run, agent, choice, signal } = this.#options;
    const turns = await outlastTrouble(() => engine.history(run.run_id), signal);
    this.#conversation = new Conversation(agent, choice, turns);
    for (;;) {
      signal.throwIfAborted();
      const ending = await this.#step();
      if (ending) return ending;
      this.#isResumed = false;
    }
  }

  /** @returns undefined when the run goes on */
  async #step(): Promise<Ending | undefined> {
    const { last } = this.#conversation;
    const uses = last ? toolUsesOf(last) : [];
    this.#limit ??= this.#limitMet(Math.max(1, uses.length));
    if (uses.length > 0) return this.#toolStep(uses);
    try {
      return await (this.#limit ? this.#lastWord(this.#limit) : this.#modelStep());
    } catch (error) {
      if (hasCode(error, "BUDGET_EXCEEDED")) return this.#overBudget(error);
      throw error;
    }
  }

  /**
   * Called before each model call, because a checkpoint ends the reservation of the call before.
   * @throws AppError BUDGET_EXCEEDED
   */
  async #reserve(): Promise<void> {
    const { askBudget, signal } = this.#options;
    const usedUp = await askBudget(() => this.#tokens(), signal);
    if (usedUp !== undefined) throw new AppError("BUDGET_EXCEEDED", usedUp);
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
    if (!goesOn) return this.#checked(message, cut ? "max_tokens" : "stop");
    await this.#keep(message, [{ type: "STEP_FINISHED", stepName: MODEL_STEP }]);
    return undefined;
  }

  async #toolStep(uses: readonly ToolUseBlock[]): Promise<undefined> {
    const { maxSteps } = this.#options.agent.limits;
    const asked = { uses, steps: this.#steps, isResumed: this.#isResumed };
    if (this.#limit) {
      const { content, events } = await refuseCalls(this.#options, asked, this.#limit);
      await this.#keep({ role: "user", content, note: lastWord(this.#limit, maxSteps) }, events);
      return;
    }
    const { content, events } = await runCalls(this.#options, asked);
    this.#steps += uses.filter((use) => unfit(use) === undefined).length;
    this.#limit ??= this.#limitMet(1);
    const note = this.#limit ? lastWord(this.#limit, maxSteps) : stepsLeft(maxSteps - this.#steps);
    await this.#keep({ role: "user", content, ...(note && { note }) }, events);
  }

  /** The limit is met: one more call without tools, so that the work so far leads to an answer. */
  async #lastWord(limit: Limit): Promise<Ending> {
    const { agent } = this.#options;
    const note = lastWord(limit, agent.limits.maxSteps);
    const { last } = this.#conversation;
    if (last?.note !== note && !isMisfit(last?.note)) {
      // The note is for the last word alone, so it is not kept when there will be none.
      await this.#reserve();
      await this.#keep({ role: "user", content: [], note });
    }
    const { content } = await this.#ask(false);
    this.#steps += 1;
    const message = this.#answer(content.filter(({ type }) => type !== "tool_use"));
    if (isBlank(textOf(message))) throw speechless(agent, limit);
    return (await this.#checked(message, limit)) ?? this.#lastWord(limit);
  }

  /** A reply that does not fit its schema is tried once more. @throws AppError REPLY_MISFIT */
  async #checked(message: Message, finishReason: FinishReason): Promise<Ending | undefined> {
    const { response_format: format } = this.#options.asked;
    if (!format) return this.#over(message, finishReason);
    const checked = outputOf(textOf(message), format);
    if ("output" in checked) return this.#over(message, finishReason, checked.output);
    if (isMisfit(this.#conversation.last?.note)) {
      throw new AppError(
        "REPLY_MISFIT",
        `The reply does not fit \`response_format\`, also the second time: ${checked.reason}`,
      );
    }
    await this.#keep(message, [{ type: "STEP_FINISHED", stepName: MODEL_STEP }]);
    await this.#keep({ role: "user", content: [], note: misfit(checked.reason) });
    return undefined;
  }

  /** Estimates the tokens of the next request. */
  #tokens(): number {
    const { tools, agent, asked } = this.#options;
    const beside = charactersOf([agent.system ?? "", askedInWords(asked), describeTools(tools)]);
    return this.#conversation.tokens(tools.size > 0, beside);
  }

  async #ask(mayCallTools: boolean): Promise<Answer> {
    try {
      return await this.#askChosen(mayCallTools);
    } catch (error) {
      if (!(await this.#fellBack(error))) throw error;
      return this.#askChosen(mayCallTools);
    }
  }

  async #askChosen(mayCallTools: boolean): Promise<Answer> {
    const { tools, refreshTools, signal, agent, engine, asked } = this.#options;
    const missing = await refreshTools(signal);
    const more = [...missing, ...askedInWords(asked)];
    const hasTools = tools.size > 0;
    const beside = charactersOf([agent.system ?? "", more, describeTools(tools)]);
    for (let refusals = 0; ; refusals += 1) {
      await this.#makeRoom(hasTools, beside);
      await this.#reserve();
      try {
        const whole = this.#conversation.render(hasTools);
        const rendered = this.#hasUnreadable ? withoutMedia(whole) : whole;
        const messages = await outlastTrouble(() => withFiles(rendered, engine.files), signal);
        return await ask({ ...this.#options, attempts: this.#attempts }, { messages, more, mayCallTools });
      } catch (error) {
        if (this.#isUnreadable(error)) continue;
        const estimated = this.#conversation.tokens(hasTools, beside);
        const tooLong = tooLongIn(error, estimated);
        if (!tooLong) throw error;
        if (refusals === MAX_REFUSALS) throw tooLarge(agent, { size: tooLong.tokens, budget: tooLong.maximum });
        this.#attempts.retry({
          attempt: refusals + 2,
          reason: "the conversation is too long for the model",
          wait_ms: 0,
        });
        this.#conversation.learn(tooLong, estimated);
      }
    }
  }

  /** True at most once: from then on another model is asked. */
  async #fellBack(error: unknown): Promise<boolean> {
    const { journal, choice } = this.#options;
    if (!choice.fallBack(error)) return false;
    // Book what was spent so far to the first model.
    await journal.checkpoint({ usage: this.usage });
    journal.billTo(choice.bill);
    const reason = `${(error as Error).message} ${choice.model} is asked instead.`;
    this.#attempts.retry({ attempt: 1, reason, wait_ms: 0 });
    return true;
  }

  /** True at most once: from then on the run sends no pictures and no documents. */
  #isUnreadable(error: unknown): boolean {
    if (this.#hasUnreadable || !isForMedia(error, this.#conversation.own[0])) return false;
    this.#hasUnreadable = true;
    this.#attempts.retry({ attempt: 2, reason: "the model cannot read a picture or document", wait_ms: 0 });
    return true;
  }

  async #makeRoom(hasTools: boolean, beside: number): Promise<void> {
    const keep = (message: Message, modelCalls: number) => {
      this.#steps += modelCalls;
      return this.#keep(message);
    };
    const [conversation, summaries, reserve] = [this.#conversation, this.#summaries, () => this.#reserve()];
    await makeRoom({ ...this.#options, conversation, summaries, hasTools, beside, reserve, keep });
  }

  #answer(content: Answer["content"]): Message {
    return { role: "assistant", content, model: this.#options.choice.model };
  }

  /** Stores a step that is over: it counts, whatever happens to the run later. */
  async #keep(message: Message, events: readonly RunEvent[] = []): Promise<void> {
    const isEmpty = message.content.length === 0 && message.note === undefined && !message.compaction;
    const messages = isEmpty ? [] : [message];
    await this.#options.journal.checkpoint({ messages, usage: this.usage, steps: this.#steps }, events);
    this.#attempts.end();
    if (!isEmpty) this.#conversation.push(message);
  }

  #over(message: Message, finishReason: FinishReason, output?: unknown): Ending {
    // The API refuses empty messages in a history, so an empty answer is not kept.
    const messages = message.content.length > 0 ? [message] : [];
    const said = { reply: textOf(message), finishReason, ...(output !== undefined && { output }) };
    const outcome = { status: "completed", ...said } as const;
    return { outcome, messages, usage: this.usage, steps: this.#steps };
  }

  /** No budget is left for another call: the text so far is the answer. */
  #overBudget(error: unknown): Ending {
    const said = this.#conversation.own.filter(({ role }) => role === "assistant").map(textOf);
    const reply = said.filter((text) => !isBlank(text)).join("\n\n");
    if (reply === "") throw error;
    const outcome = { status: "completed", reply, finishReason: "budget" } as const;
    return { outcome, messages: [], usage: this.usage, steps: this.#steps };
  }

  #refused(content: Answer["content"]): Ending {
    const message = this.#answer(content.filter(({ type }) => type === "text"));
    if (!isBlank(textOf(message))) return this.#over(message, "refusal");
    const detail = `The model ${this.#options.choice.model} refused to answer. Its thread goes on without this message.`;
    throw new AppError("MODEL_REFUSED", detail);
  }
}

/** How often the model may refuse the conversation as too long, although it was made shorter each time. */
const MAX_REFUSALS = 2;
