/** Your agents. The key is the agent's id in the API; tools are the files in config/tools/. */
import { defineAgents } from "evenkeel";

export const agents = defineAgents({
  assistant: {
    model: "claude-sonnet-5-5",
    description: "Answers questions, and knows how long texts are.",
    system: "You are a helpful assistant. Count words with your tool, never by yourself.",
    tools: ["count_words"],
  },
});
