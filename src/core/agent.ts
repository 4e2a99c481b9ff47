/**
 * What `config/agents.ts` can say about an agent, described once: types, defaults and every check follow from the
 * schema. Workers read that file, too, so it names tools and never imports them.
 */
import { z } from "zod";
import { apiOptions, conflictsIn, httpHeaders } from "./api-options.ts";
import { ACCEPTABLE } from "./asked.ts";
import { AppError } from "./errors.ts";
import { CAP, field, flag, listOf, problemsIn, section, text, wholeNumber } from "./config-fields.ts";

const LIMITS = section({
  /** Model calls plus tool calls of one run. */
  maxSteps: wholeNumber().default(40),
  /** One run from its first claim to its end. Default 10 minutes. */
  timeoutMs: wholeNumber().default(600_000),
});

/** Which part of a long thread goes to the model. */
const CONTEXT = section({
  /** Tokens of one request, without the answer. By default, what the usual model accepts beside its answer. */
  tokens: wholeNumber({ min: 1_000 }).optional(),
  /** Turns that are kept word by word when the oldest ones become a summary. */
  keepTurns: wholeNumber({ max: 1_000 }).default(4),
  /**
   * When a thread exceeds `tokens` even without old tool results: summarize the oldest turns, leave them out, or
   * refuse.
   */
  onFull: field(z.enum(["compact", "clear", "fail"]), 'to be "compact", "clear" or "fail"').default("compact"),
});

/** The window of a model whose window is not configured. */
const WINDOW_TOKENS = 200_000;

const dollars = () => field(z.number().min(0), "to be dollars per million tokens, 0 or more");

/** US dollars per million tokens, as the model's provider bills you. */
const PRICE = section({ input: dollars(), output: dollars(), cache_read: dollars(), cache_write: dollars() });

/** A function that makes the system prompt of a run. Called each time an agent process begins to work on the run. */
export type SystemPrompt = (about: {
  /** The principal that asked for the run: the name of an API key, or `provider:user`. */
  readonly principal: string;
  /** What the client sent with the run. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly threadId: string;
  readonly now: Date;
}) => string | Promise<string>;

const AGENT = section({
  /** A model name of the Messages API. */
  model: text("to be the name of a model"),
  description: field(z.string(), "to be a text").default(""),
  /** The system prompt, or a function that makes it for a run. */
  system: field(
    z.union([z.string(), z.custom<SystemPrompt>((value) => typeof value === "function")]),
    "to be a text, or a function that makes one",
  ).optional(),
  /** The most tokens of one answer of the model. */
  maxTokens: wholeNumber().default(4096),
  /** Names of tools; each is a file `config/tools/NAME.ts`. */
  tools: listOf("names of tools").default([]),
  /** Names of servers in `config/mcp.ts`: the agent gets all tools that they offer. */
  mcp: listOf("names of MCP servers").default([]),
  /** Ids of agents that this agent may delegate to. They give it the tool `delegate`. */
  delegates: listOf("ids of agents").default([]),
  /**
   * Extended thinking. "adaptive" lets the model decide; a number is a budget in tokens, at least 1024 and below
   * maxTokens.
   */
  thinking: field(
    z.union([z.literal("adaptive"), z.int().min(1024)]),
    'to be "adaptive" or a whole number from 1024 and below `maxTokens`',
  ).optional(),
  limits: LIMITS.prefault({}),
  context: CONTEXT.prefault({}),
  /** What a request may ask beyond its message, for its own run alone. By default nothing. */
  accepts: field(
    z.array(z.enum(ACCEPTABLE)).readonly(),
    `to be a list of ${ACCEPTABLE.map((name) => `"${name}"`).join(", ")}`,
  ).default([]),
  /**
   * Options of the Messages API that have no field here, as its reference writes them; also tools that run at the API.
   */
  request: apiOptions().optional(),
  /** HTTP headers of the agent's model calls. */
  headers: httpHeaders().optional(),
  /**
   * The model that is asked for the rest of a run after `model` has failed three times in one call, or while its calls
   * fail in all runs.
   */
  fallbackModel: text("to be the name of a model").optional(),
  /** False for an endpoint that does not know `cache_control`. By default prompts are cached. */
  cache: flag().default(true),
  /**
   * What may be spent: by one run with all runs below it, by all runs in a UTC day, and by the runs of each principal
   * in a day.
   */
  budget: section({ run: CAP.optional(), day: CAP.optional(), principalDay: CAP.optional() }).optional(),
  /** What the model costs: for a budget in dollars, and to show the cost of a run. */
  price: PRICE.optional(),
  /** What `fallbackModel` costs. */
  fallbackPrice: PRICE.optional(),
});

export type Price = Readonly<z.output<typeof PRICE>>;
export type AgentConfig = Readonly<z.input<typeof AGENT>>;
export type Agent = Readonly<z.output<typeof AGENT>> & { readonly agentId: string };
/** The agent for one run: its system prompt is made. */
export type PreparedAgent = Omit<Agent, "system"> & { readonly system?: string | undefined };

/** Called once in `config/agents.ts`. The keys are the agent ids. Throws one error that lists every mistake. */
export function defineAgents(agents: Readonly<Record<string, AgentConfig>>): ReadonlyMap<string, Agent> {
  const ids = Object.keys(agents);
  const problems = Object.entries(agents).flatMap(([id, config]) =>
    [...problemsOfId(id), ...problemsIn(AGENT, config), ...problemsBetween(config, ids)].map(
      (problem) => `Agent \`${id}\`: expected ${problem}.`,
    ),
  );
  if (ids.length === 0) problems.push("Expected at least one agent.");
  if (problems.length > 0) throw new Error(`these agents cannot be used:\n  ${problems.join("\n  ")}`);
  return new Map(Object.entries(agents).map(([id, config]) => [id, { agentId: id, ...AGENT.parse(config) }]));
}

function problemsOfId(id: string): string[] {
  return /^[a-z0-9][a-z0-9_-]{0,63}$/.test(id) ? [] : ["an id of 1 to 64 lower-case letters, digits, - and _"];
}

/** Mistakes that involve several fields. Fields of a wrong type are left to `problemsIn`. */
function problemsBetween(config: AgentConfig, ids: readonly string[]): string[] {
  const { success, data } = AGENT.safeParse(config);
  if (!success) return [];
  const { delegates, thinking, maxTokens, request, headers } = data;
  const strangers = delegates.filter((id) => !ids.includes(id));
  return [
    ...conflictsIn(request, headers),
    ...strangers.map((id) => `\`delegates\` to be ids of agents here, got "${id}"`),
    ...(typeof thinking === "number" && thinking >= maxTokens
      ? [`\`thinking\` to be below \`maxTokens\` (${maxTokens}), got ${thinking}`]
      : []),
    ...Object.entries(data.budget ?? {})
      .filter(([, cap]) => cap?.dollars !== undefined)
      .flatMap(([scope]) =>
        missingPrices(data).map((name) => `\`${name}\`, because \`budget.${scope}.dollars\` is counted by it`),
      ),
    ...(data.fallbackPrice && data.fallbackModel === undefined ? ["`fallbackModel`, as it has `fallbackPrice`"] : []),
  ];
}

function missingPrices({ price, fallbackModel, fallbackPrice }: z.output<typeof AGENT>): string[] {
  return [...(price ? [] : ["price"]), ...(fallbackModel === undefined || fallbackPrice ? [] : ["fallbackPrice"])];
}

/**
 * Tokens that a request of this agent may have. Our count is an estimate until the model has counted, so a tenth is
 * left free.
 */
export function contextTokens({ context, maxTokens }: Pick<Agent, "context" | "maxTokens">): number {
  return context.tokens ?? Math.max(1_000, Math.floor(0.9 * WINDOW_TOKENS) - maxTokens);
}

/** A rule of thumb. Where the model's own count is known, it is better. */
export const CHARACTERS_A_TOKEN = 3.5;

/** The message is longer than the agent's model accepts. */
export function tooLarge(
  { agentId }: Pick<Agent, "agentId">,
  { size, budget }: { size: number; budget: number },
): AppError {
  const detail =
    `The message needs about ${size} tokens with what has to go with it, and agent ${agentId} has room for ${budget} ` +
    "(`context.tokens`, or what its model takes). Send a shorter one, or in parts.";
  return new AppError("CONTEXT_TOO_LARGE", detail);
}
