import { expect, test } from "vitest";
import { contextTokens, defineAgents, type AgentConfig } from "./agent.ts";

const MODEL = "claude-test";
const FREE = { input: 0, output: 0, cache_read: 0, cache_write: 0 };

test("an agent of a model alone has every default", () => {
  const agents = defineAgents({ assistant: { model: MODEL } });

  expect(agents.get("assistant")).toEqual({
    agentId: "assistant",
    model: MODEL,
    description: "",
    system: undefined,
    maxTokens: 4096,
    tools: [],
    mcp: [],
    delegates: [],
    thinking: undefined,
    context: { keepTurns: 4, onFull: "compact" },
    accepts: [],
    cache: true,
    limits: { maxSteps: 40, timeoutMs: 600_000 },
  });
});

test("what an agent says goes before the defaults, limit by limit", () => {
  const agents = defineAgents({
    coder: { model: MODEL, system: "Be brief.", tools: ["clock"], maxTokens: 8192, limits: { maxSteps: 3 } },
  });

  expect(agents.get("coder")).toMatchObject({
    system: "Be brief.",
    tools: ["clock"],
    maxTokens: 8192,
    limits: { maxSteps: 3, timeoutMs: 600_000 },
  });
});

test("a request may have what the usual model takes beside the answer, unless the agent says less", () => {
  const agents = defineAgents({ a: { model: MODEL }, b: { model: MODEL, context: { tokens: 2_000 } } });

  expect([...agents.values()].map(contextTokens)).toEqual([175_904, 2_000]);
});

test("agents keep the order in which they were defined", () => {
  const agents = defineAgents({ zoe: { model: MODEL }, ana: { model: MODEL } });

  expect([...agents.keys()]).toEqual(["zoe", "ana"]);
});

test.each<[string, AgentConfig, string]>([
  ["an empty model", { model: "" }, "`model` to be the name"],
  ["a model that is no text", { model: 7 as unknown as string }, "`model` to be the name"],
  ["no tokens", { model: MODEL, maxTokens: 0 }, "`maxTokens` to be a whole number"],
  ["half a token", { model: MODEL, maxTokens: 1.5 }, "`maxTokens` to be a whole number"],
  ["too little thinking", { model: MODEL, thinking: 1023 }, "`thinking`"],
  ["more thinking than tokens", { model: MODEL, thinking: 4096 }, "`thinking`"],
  ["half a token of thinking", { model: MODEL, thinking: 1024.5 }, "`thinking`"],
  ["a price below 0", { model: MODEL, price: { ...FREE, output: -1 } }, "`price.output`"],
  ["half a price", { model: MODEL, price: { input: 3 } as typeof FREE }, "`price.output`"],
  ["an unknown delegate", { model: MODEL, delegates: ["assistant", "nobody"] }, "`delegates` to be ids of agents here"],
  ["no steps", { model: MODEL, limits: { maxSteps: 0 } }, "`limits.maxSteps` to be a whole number"],
  ["a misspelt field", { model: MODEL, maxToken: 9 } as AgentConfig, "no `maxToken`; it knows model, description"],
  ["a misspelt limit", { model: MODEL, limits: { steps: 9 } as object }, "no `limits.steps`; it knows maxSteps,"],
  [
    "a misspelt price",
    { model: MODEL, price: { ...FREE, cached: 9 } as typeof FREE },
    "no `price.cached`; it knows input",
  ],
  ["too little context", { model: MODEL, context: { tokens: 10 } }, "`context.tokens` to be a whole number from 1000"],
  ["endless time", { model: MODEL, limits: { timeoutMs: Infinity } }, "`limits.timeoutMs` to be a whole number"],
])("%s is refused", (_name, config, problem) => {
  expect(() => defineAgents({ assistant: config })).toThrow(`Agent \`assistant\`: expected ${problem}`);
});

test.each<[string, unknown, string]>([
  ["model", undefined, "the name of a model, got nothing"],
  ["description", 7, "a text, got 7"],
  ["system", ["Be brief."], 'a text, or a function that makes one, got ["Be brief."]'],
  ["maxTokens", "4096", 'a whole number from 1 to 2147483647, got "4096"'],
  ["maxTokens", Number.NaN, "a whole number from 1 to 2147483647, got NaN"],
  ["tools", "clock", 'a list of names of tools, got "clock"'],
  ["tools", ["clock", 7], 'a list of names of tools, got ["clock",7]'],
  ["delegates", {}, "a list of ids of agents, got {}"],
  ["thinking", true, '"adaptive" or a whole number from 1024 and below `maxTokens`, got true'],
  ["limits", 7, "an object of maxSteps, timeoutMs, got 7"],
  ["limits", null, "an object of maxSteps, timeoutMs, got null"],
  ["cache", "no", 'true or false, got "no"'],
  ["price", () => 3, "an object of input, output, cache_read, cache_write, got () => 3"],
])("a `%s` of a wrong type is refused by its name: %o", (name, value, sentence) => {
  const config = { model: MODEL, [name]: value } as AgentConfig;

  expect(() => defineAgents({ a: config })).toThrow(`Agent \`a\`: expected \`${name}\` to be ${sentence}.`);
});

test("an agent that is no object is refused", () => {
  expect(() => defineAgents({ a: null as unknown as AgentConfig })).toThrow(
    "Agent `a`: expected it to be an object of",
  );
});

test.each(["a", "0", "my-agent_2", "a".repeat(64)])("%s is an id", (id) => {
  expect(defineAgents({ [id]: { model: MODEL } }).has(id)).toBe(true);
});

test.each(["", "Assistant", "-a", "_a", "a b", "ä", "a/b", "a".repeat(65)])("%o is no id", (id) => {
  expect(() => defineAgents({ [id]: { model: MODEL } })).toThrow("an id of 1 to 64");
});

test("a thinking budget within its bounds is accepted", () => {
  expect(() => defineAgents({ a: { model: MODEL, thinking: 1024 } })).not.toThrow();
  expect(() => defineAgents({ a: { model: MODEL, thinking: 4095 } })).not.toThrow();
});

test("every mistake of every agent is named in one error", () => {
  const agents = { A: { model: "" }, b: { model: MODEL, maxTokens: -1 } };

  expect(() => defineAgents(agents)).toThrow(
    /^these agents cannot be used:\n.*Agent `A`.* an id.*\n.*Agent `A`.*`model`.*\n.*Agent `b`.*`maxTokens`/,
  );
});

test("no agents at all is refused", () => {
  expect(() => defineAgents({})).toThrow("at least one agent");
});
