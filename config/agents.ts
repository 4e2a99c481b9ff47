/**
 * Your agents. The key is the agent's id in the API; tools are the files in `config/tools/`.
 * With RELOAD=true a change here is live as soon as you save it.
 */
import { defineAgents } from "evenkeel";

export const agents = defineAgents({
  // The least an agent needs: a model. Tools make it useful.
  assistant: {
    model: "claude-sonnet-5-5",
    description: "Answers questions, knows the time, can calculate and read the web.",
    system: "You are a helpful assistant. Use your tools when they give a better answer than memory does.",
    tools: ["current_time", "calculate", "fetch_url"],
    // US dollars per million tokens, for the dashboard's cost column: put in what your provider bills you.
    price: { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 },
  },

  // A larger answer and extended thinking, for questions worth waiting for.
  analyst: {
    model: "claude-opus-5-5",
    description: "Thinks before it answers.",
    system: "You are a careful analyst. Show your calculation, then give the result in one sentence.",
    maxTokens: 16_000,
    thinking: "adaptive",
    tools: ["calculate", "analyze_text", "workspace"],
    limits: { maxSteps: 60, timeoutMs: 30 * 60_000 },
  },

  // Hands parts of the work to the others; each part is a run of its own, nested in this one on its page.
  planner: {
    model: "claude-opus-5-5",
    description: "Splits a question and asks the other agents.",
    system: "Split the work into parts, delegate them side by side, and put the replies together.",
    delegates: ["assistant", "analyst"],
    limits: { timeoutMs: 60 * 60_000 },
  },

  // No tools, short answers, tight limits.
  greeter: {
    model: "claude-haiku-5-5",
    description: "Greets visitors in one sentence.",
    system: "Greet the visitor in one friendly sentence.",
    maxTokens: 200,
    limits: { maxSteps: 1, timeoutMs: 20_000 },
  },
});

// Environment variables that tools see besides the usual ones (PATH, HOME, LANG …). No other variable reaches them.
export const tools = { env: ["WORKSPACE_DIR", "SHELL_TOOL"] };
