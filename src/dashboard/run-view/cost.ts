/** What a run cost, by the price that `config/agents.ts` may give an agent. */
import type { Price } from "../../core/agent.ts";
import { dollarsOf } from "../../core/spending.ts";
import { isOver, type ShownStatus, type Usage } from "../../core/run.ts";
import type { AgentInfo } from "../store/agents.ts";

/** In US dollars; undefined without a price. */
export function costOf(usage: Usage, price: Price | undefined): number | undefined {
  return price && dollarsOf(usage, price);
}

export function priceOf(agentId: string, agents: readonly AgentInfo[] | null): Price | undefined {
  return agents?.find(({ agent_id: id }) => id === agentId)?.price;
}

export function hasPrices(agents: readonly AgentInfo[] | null): boolean {
  return agents?.some(({ agent_id: id }) => priceOf(id, agents) !== undefined) === true;
}

/** 0.00234 → "$0.0023", 12.3 → "$12.30"; an amount that is too small to show is "<$0.0001". */
export function dollars(cost: number): string {
  if (cost === 0) return "$0";
  if (cost < 0.0001) return "<$0.0001";
  return `$${cost.toFixed(cost < 1 ? 4 : 2)}`;
}

/** Null while the usage is not known: a run reports it at its end, and a run that was cut short may never report it. */
export function knownUsage(status: ShownStatus, usage: Usage): Usage | null {
  const { input, output } = tokensOf(usage);
  return isOver(status) && input + output > 0 ? usage : null;
}

export function tokensOf(usage: Usage): { readonly input: number; readonly output: number } {
  const { input_tokens: input, cache_read_input_tokens: read, cache_creation_input_tokens: written } = usage;
  return { input: input + read + written, output: usage.output_tokens };
}
