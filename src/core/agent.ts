/** What `config/agents.ts` can say of an agent. Workers read it too, so it names tools and never imports them. */

export interface AgentLimits {
  /** Model calls plus tool calls of one run. Default 40. */
  readonly maxSteps?: number;
  /** One run from its first claim to its end. Default 10 minutes. */
  readonly timeoutMs?: number;
}

/** US dollars per million tokens, as the model's provider bills you. */
export interface Price {
  readonly input: number;
  readonly output: number;
  readonly cache_read: number;
  readonly cache_write: number;
}

export interface AgentConfig {
  /** A model name of the Messages API. */
  readonly model: string;
  readonly description?: string;
  /** The system prompt. */
  readonly system?: string;
  /** Tokens one model call may answer with. Default 4096. */
  readonly maxTokens?: number;
  /** Names of tools; each is a file `config/tools/NAME.ts`. */
  readonly tools?: readonly string[];
  /** Ids of agents that it may hand work to. Gives it the tool `delegate`. */
  readonly delegates?: readonly string[];
  /** Extended thinking: "adaptive" leaves it to the model; a number is a budget in tokens, from 1024, below maxTokens. */
  readonly thinking?: "adaptive" | number;
  readonly limits?: AgentLimits;
  /** Lets the dashboard show what a run cost. */
  readonly price?: Price;
}

export interface Agent {
  readonly agentId: string;
  readonly model: string;
  readonly description: string;
  readonly system: string | undefined;
  readonly maxTokens: number;
  readonly tools: readonly string[];
  readonly delegates: readonly string[];
  readonly thinking: "adaptive" | number | undefined;
  readonly limits: Required<AgentLimits>;
  readonly price: Price | undefined;
}

const DEFAULT_LIMITS: Required<AgentLimits> = { maxSteps: 40, timeoutMs: 600_000 };

/** Called once in `config/agents.ts`. The keys are the agent ids. Throws one error that lists every mistake. */
export function defineAgents(agents: Readonly<Record<string, AgentConfig>>): ReadonlyMap<string, Agent> {
  const problems = Object.entries(agents).flatMap(([id, agent]) => problemsOf(id, agent));
  for (const [id, { delegates = [] }] of Object.entries(agents))
    for (const other of delegates)
      if (!Object.hasOwn(agents, other))
        problems.push(`Agent \`${id}\`: expected \`delegates\` to be ids of agents here, got "${other}".`);
  if (Object.keys(agents).length === 0) problems.push("Expected at least one agent.");
  if (problems.length > 0) throw new Error(`these agents cannot be used:\n  ${problems.join("\n  ")}`);
  return new Map(Object.entries(agents).map(([id, agent]) => [id, withDefaults(id, agent)]));
}

function withDefaults(agentId: string, config: AgentConfig): Agent {
  return {
    agentId,
    model: config.model,
    description: config.description ?? "",
    system: config.system,
    maxTokens: config.maxTokens ?? 4096,
    tools: config.tools ?? [],
    delegates: config.delegates ?? [],
    thinking: config.thinking,
    limits: { ...DEFAULT_LIMITS, ...config.limits },
    price: config.price,
  };
}

/** The compiler holds it complete: a field that is not here is refused. */
const FIELDS: Readonly<Record<keyof AgentConfig, true>> = {
  model: true,
  description: true,
  system: true,
  maxTokens: true,
  tools: true,
  delegates: true,
  thinking: true,
  limits: true,
  price: true,
};
const PRICES = ["input", "output", "cache_read", "cache_write"] as const;

function problemsOf(id: string, config: AgentConfig): string[] {
  const { model, maxTokens = 4096, thinking, limits = {}, price } = config;
  const problems: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) problems.push(`Agent \`${id}\`: expected ${what}.`);
  };
  expect(/^[a-z0-9][a-z0-9_-]{0,63}$/.test(id), "an id of 1 to 64 lower-case letters, digits, - and _");
  // Types are stripped, not checked: a misspelt limit would be none.
  const known = {
    "": [config, Object.keys(FIELDS)],
    "limits.": [limits, Object.keys(DEFAULT_LIMITS)],
    "price.": [price, PRICES],
  } as const;
  for (const [where, [given, names]] of Object.entries(known))
    for (const name of Object.keys(given ?? {}))
      expect((names as readonly string[]).includes(name), `no \`${where}${name}\`; it knows ${names.join(", ")}`);
  expect(typeof model === "string" && model !== "", "`model` to be the name of a model");
  expect(Number.isInteger(maxTokens) && maxTokens > 0, "`maxTokens` to be a whole number above 0");
  expect(
    thinking === undefined ||
      thinking === "adaptive" ||
      (Number.isInteger(thinking) && thinking >= 1024 && thinking < maxTokens),
    '`thinking` to be "adaptive" or a whole number from 1024 and below `maxTokens`',
  );
  for (const [name, value] of Object.entries(limits)) {
    // Timers take no more than 2^31 - 1 ms.
    const fits = Number.isInteger(value) && value > 0 && value <= 2_147_483_647;
    expect(fits, `\`limits.${name}\` to be a whole number from 1 to 2147483647`);
  }
  for (const name of price ? PRICES : []) {
    const value = price?.[name];
    expect(typeof value === "number" && value >= 0, `\`price.${name}\` to be dollars per million tokens, 0 or more`);
  }
  return problems;
}
