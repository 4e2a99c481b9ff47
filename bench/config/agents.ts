/** The agents of the bench. No limit of `bench` itself stands between the load and the server. */
import { defineAgents } from "evenkeel";

export const agents = defineAgents({
  bench: {
    model: "simulated-model",
    description: "Answers what the /sim line orders.",
    maxTokens: 1_000_000,
    tools: ["spin", "blob", "echo", "entry", "outside"],
    limits: { maxSteps: 1_000_000 },
    context: { tokens: 1_000_000 },
  },
  stepper: {
    model: "simulated-model",
    description: "Calls the model 20 times, with a tool's call after each.",
    system: "Answer from the manual. ".repeat(200),
    tools: ["blob"],
    limits: { maxSteps: 39 },
  },
  naughty: {
    model: "simulated-model",
    description: "Has a tool that does whatever a bad tool does.",
    maxTokens: 10_000,
    tools: ["naughty"],
  },
});
