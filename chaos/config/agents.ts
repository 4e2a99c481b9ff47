/** The agent under chaos: it has tools of every kind. */
import { defineAgents } from "evenkeel";

const traced = ["pure", "idempotent", "unsafe"].flatMap((effects) =>
  ["thread", "process", "inline"].map((isolation) => `${effects}_${isolation}`),
);

export const agents = defineAgents({
  chaos: { model: "simulated-model", tools: [...traced, "spin_inline", "exit_inline"], limits: { maxSteps: 100 } },
});
