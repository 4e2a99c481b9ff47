/** What an agent may add to its requests, and what it may not set a second time. */
import { expect, test } from "vitest";
import { defineAgents, type AgentConfig } from "./agent.ts";
import { headersOf } from "./api-options.ts";

const define = (config: Partial<AgentConfig>) => defineAgents({ assistant: { model: "m", ...config } });

test.each<Partial<AgentConfig>>([
  { request: { temperature: 0.2, stop_sequences: ["END"], tool_choice: { type: "any" }, metadata: { user_id: "u" } } },
  { request: { output_config: { effort: "low" }, service_tier: "auto", betas: ["context-1m-2025-08-07"] } },
  { request: { tools: [{ type: "web_search_20250305", name: "web_search", max_uses: 3 }] } },
  { headers: { "X-Tenant": "blue", "anthropic-beta": "a,b" } },
])("%j is taken", (config) => {
  expect(define(config).get("assistant")).toMatchObject(config);
});

test.each<[Partial<AgentConfig>, string]>([
  [{ request: { max_tokens: 9 } }, "no `request.max_tokens`; the agent's own `maxTokens` says it"],
  [{ request: { thinking: { type: "disabled" } } }, "no `request.thinking`; the agent's own `thinking` says it"],
  [{ request: { model: "x" } }, "no `request.model`; the agent's own `model` says it"],
  [{ request: { messages: [] } }, "no `request.messages`; the server says it itself"],
  [{ request: { stream: false } }, "no `request.stream`; the server says it itself"],
  [{ request: { tools: [{ name: "clock" }] } }, "`request.tools` to be a list of tools that run at the API"],
  [
    { request: { tools: [{ type: "web_search_20250305", name: "web_search", cache_control: { type: "ephemeral" } }] } },
    "no `cache_control` in `request.tools`; the server marks tools itself, unless `cache` is false",
  ],
  [{ request: { betas: "one" } }, "`request.betas` to be a list of names"],
  [{ request: { betas: ["a"] }, headers: { "Anthropic-Beta": "b" } }, "no `headers.Anthropic-Beta`; `request.betas`"],
  [{ request: [] as never }, "`request` to be an object of options of the Messages API"],
  [{ headers: { Authorization: "x" } }, "no `headers.Authorization`; the server sends it itself"],
  [{ headers: { "bad name": "x" } }, "`headers` to be an object of HTTP headers"],
  [{ headers: { "X-Emoji": "🧀" } }, "`headers` to be an object of HTTP headers"],
])("%j is refused at boot", (config, problem) => {
  expect(() => define(config)).toThrow(`Agent \`assistant\`: expected ${problem}`);
});

test("betas travel as a header", () => {
  expect(headersOf({ request: { betas: ["a", "b"] }, headers: { "x-tenant": "blue" } })).toEqual({
    "x-tenant": "blue",
    "anthropic-beta": "a,b",
  });
  expect(headersOf({})).toEqual({});
});
