/**
 * What `config/agents.ts` can say of an agent, described once: types, defaults and every check follow from the schema.
 * Workers read it too, so it names tools and never imports them.
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

/** What of a long thread goes to the model. */
const CONTEXT = section({
  /** What one request may have, the answer not counted. By default what the usual model takes beside its answer. */
  tokens: wholeNumber({ min: 1_000 }).optional(),
  /** Turns that are kept word by word when the oldest ones become a summary. */
  keepTurns: wholeNumber({ max: 1_000 }).default(4),
  /** Above `tokens`, once old tool results are left out: summarize the oldest turns, leave them out, or refuse. */
  onFull: field(z.enum(["compact", "clear", "fail"]), 'to be "compact", "clear" or "fail"').default("compact"),
});

/** The window of a model of which nobody says another. */
const WINDOW_TOKENS = 200_000;

const dollars = () => field(z.number().min(0), "to be dollars per million tokens, 0 or more");

/** US dollars per million tokens, as the model's provider bills you. */
const PRICE = section({ input: dollars(), output: dollars(), cache_read: dollars(), cache_write: dollars() });

/** Makes the system prompt of a run. Called once each time that an agent process begins to work on the run. */
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
  /** Tokens one model call may answer with. */
  maxTokens: wholeNumber().default(4096),
  /** Names of tools; each is a file `config/tools/NAME.ts`. */
  tools: listOf("names of tools").default([]),
  /** Names of servers in `config/mcp.ts`: it gets all tools that they offer. */
  mcp: listOf("names of MCP servers").default([]),
  /** Ids of agents that it may hand work to. Gives it the tool `delegate`. */
  delegates: listOf("ids of agents").default([]),
  /** Extended thinking: "adaptive" leaves it to the model; a number is a budget in tokens, from 1024, below maxTokens. */
  thinking: field(
    z.union([z.literal("adaptive"), z.int().min(1024)]),
    'to be "adaptive" or a whole number from 1024 and below `maxTokens`',
  ).optional(),
  limits: LIMITS.prefault({}),
  context: CONTEXT.prefault({}),
  /** What a request may ask for its run alone, beyond its message. By default nothing. */
  accepts: field(
    z.array(z.enum(ACCEPTABLE)).readonly(),
    `to be a list of ${ACCEPTABLE.map((name) => `"${name}"`).join(", ")}`,
  ).default([]),
  /** Options of the Messages API that have no field here, as its reference writes them; tools that run at the API. */
  request: apiOptions().optional(),
  /** HTTP headers of its model calls. */
  headers: httpHeaders().optional(),
  /** Asked for the rest of a run once `model` has failed three times in one call. */
  fallbackModel: text("to be the name of a model").optional(),
  /** False for an endpoint that does not know `cache_control`. By default prompts are cached. */
  cache: flag().default(true),
  /** What may be spent: by one run with what it delegates, by all runs in a day of UTC, and by those of each principal. */
  budget: section({ run: CAP.optional(), day: CAP.optional(), principalDay: CAP.optional() }).optional(),
  /** What its model costs: for a budget in dollars, and to show what a run cost. */
  price: PRICE.optional(),
  /** What `fallbackModel` costs. */
  fallbackPrice: PRICE.optional(),
});

export type Price = Readonly<z.output<typeof PRICE>>;
export type AgentConfig = Readonly<z.input<typeof AGENT>>;
export type Agent = Readonly<z.output<typeof AGENT>> & { readonly agentId: string };
/** For one run: its system prompt is made. */
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

/** What no field can see by itself. Fields of a wrong type are left to `problemsIn`. */
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

/** Tokens that a request of this agent may have. Nobody can count them before the model has: a tenth is left for that. */
export function contextTokens({ context, maxTokens }: Pick<Agent, "context" | "maxTokens">): number {
  return context.tokens ?? Math.max(1_000, Math.floor(0.9 * WINDOW_TOKENS) - maxTokens);
}

/** As the rule of thumb has it. What a model has counted is better, where it is known. */
export const CHARACTERS_A_TOKEN = 3.5;

/** The message is longer than what the agent's model takes. */
export function tooLarge(
  { agentId }: Pick<Agent, "agentId">,
  { size, budget }: { size: number; budget: number },
): AppError {
  const detail =
    `The message needs about ${size} tokens with what has to go with it, and agent ${agentId} has room for ${budget} ` +
    "(`context.tokens`, or what its model takes). Send a shorter one, or in parts.";
  return new AppError("CONTEXT_TOO_LARGE", detail);
}
