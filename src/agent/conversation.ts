/**
 * The thread of one run in its agent process: what is stored, how it is rendered for the model, and how long the
 * rendering is. Owned by the loop.
 */
import { CHARACTERS_A_TOKEN, contextTokens, type PreparedAgent } from "../core/agent.ts";
import type { Message } from "../core/message.ts";
import type { Turn } from "../engine/engine.ts";
import { compactionOf, planCut, type Cut } from "./history/compaction.ts";
import type { Audience, ModelMessage } from "./history/model-message.ts";
import type { ModelChoice } from "./model-choice.ts";
import { SMALLEST_TOKENS } from "./history/too-long.ts";
import { Transcript } from "./history/transcript.ts";

/**
 * Share of the budget for the results of all calls of one answer: results that fill the budget would leave no room for an answer.
 */
const RESULTS_SHARE = 0.5;
const MAX_RESULT_CHARACTERS = 512 * 1024;
/**
 * Share of the budget that is used after room was made: making room at every step would write the whole cache anew each
 * time.
 */
const SHRUNK_SHARE = 0.7;
/** Share of the model's stated limit that is used: our count of tokens is not exactly the model's. */
const CAREFUL_SHARE = 0.9;

export class Conversation {
  readonly #agent: PreparedAgent;
  readonly #choice: Pick<ModelChoice, "model">;
  readonly #before: readonly Turn[];
  readonly #current: Turn | undefined;
  readonly #messages: Message[];
  #transcript: Transcript | undefined;
  // The limit that a model itself named when it refused a request as too long, by model: its agent's own and the
  // fallback.
  readonly #learned = new Map<string, number>();
  #charactersAToken = CHARACTERS_A_TOKEN;

  /** @param choice the model that is asked now */
  constructor(agent: PreparedAgent, choice: Pick<ModelChoice, "model">, turns: readonly Turn[]) {
    this.#agent = agent;
    this.#choice = choice;
    this.#before = turns.slice(0, -1);
    this.#current = turns.at(-1);
    this.#messages = [...(this.#current?.messages ?? [])];
  }

  /** The newest message that is part of the conversation. */
  get last(): Message | undefined {
    return this.#messages.findLast(({ compaction }) => !compaction);
  }

  /** The messages that this run has added to its thread. */
  get own(): readonly Message[] {
    return this.#messages;
  }

  get turns(): Turn[] {
    return this.#current ? [...this.#before, { ...this.#current, messages: this.#messages }] : [];
  }

  /** The messages that are left out so far, and the summary in their place. */
  get cut(): Cut & { readonly summary?: string } {
    const { from = 0, cleared_before: clearedBefore = 0, summary } = compactionOf(this.turns) ?? {};
    return { from, clearedBefore, ...(summary !== undefined && { summary }) };
  }

  /** Tokens that a request to the model of now may have. */
  get budget(): number {
    const { model } = this.#choice;
    const own = Math.min(contextTokens(this.#agent), this.#learned.get(model) ?? Infinity);
    const stored = compactionOf(this.turns);
    // Older versions stored limits that they had misread.
    const isOwn = stored?.model === model && stored.budget >= CAREFUL_SHARE * SMALLEST_TOKENS;
    return isOwn ? Math.min(own, stored.budget) : own;
  }

  push(message: Message): void {
    this.#messages.push(message);
    // A compaction changes what was rendered before it.
    if (message.compaction) this.#transcript = undefined;
    else this.#transcript?.push(message);
  }

  render(hasTools: boolean): readonly ModelMessage[] {
    return this.#rendered(hasTools).messages;
  }

  /** The tokens that the model will count, estimated. @param more characters that are sent beside the conversation */
  tokens(hasTools: boolean, more: number): number {
    return Math.ceil((this.#rendered(hasTools).characters + more) / this.#charactersAToken);
  }

  /** What to leave out next, to make room for a while. Undefined when nothing more can be left out. */
  plan(more: number): Cut | undefined {
    const characters = Math.max(0, this.budget * SHRUNK_SHARE * this.#charactersAToken - more);
    const now = this.cut;
    const next = planCut(this.turns, now, { characters, keepTurns: this.#agent.context.keepTurns });
    return next && (next.from > now.from || next.clearedBefore > now.clearedBefore) ? next : undefined;
  }

  /** The model has refused a request of this length: use the limit that it named from now on. */
  learn({ tokens, maximum }: { readonly tokens: number; readonly maximum: number }, estimated: number): void {
    this.#learned.set(this.#choice.model, Math.floor(maximum * CAREFUL_SHARE));
    if (tokens > estimated) this.#charactersAToken *= estimated / tokens;
    // Render anew, because results are cut to the smaller budget.
    this.#transcript = undefined;
  }

  audience(hasTools: boolean): Audience {
    const fair = Math.floor(this.budget * CHARACTERS_A_TOKEN * RESULTS_SHARE);
    return { model: this.#choice.model, hasTools, maxResultCharacters: Math.min(MAX_RESULT_CHARACTERS, fair) };
  }

  /**
   * Whether there are tools may change, as MCP servers come and go: without any, the API refuses earlier calls. A model
   * would refuse the thinking of another one.
   */
  #rendered(hasTools: boolean): Transcript {
    const rendered = this.#transcript;
    if (rendered?.audience.hasTools === hasTools && rendered.audience.model === this.#choice.model) return rendered;
    return (this.#transcript = new Transcript(this.audience(hasTools), this.turns));
  }
}
