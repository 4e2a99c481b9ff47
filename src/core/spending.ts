/** Tokens and dollars: what a call costs, and when a budget is used up. Pure. */
import type { Price } from "./agent.ts";
import type { Usage } from "./run.ts";

/** An amount in the two units of a budget. */
export interface Spent {
  readonly tokens: number;
  readonly dollars: number;
}

export const UNITS = ["tokens", "dollars"] as const;
export type Unit = (typeof UNITS)[number];

/** A unit that is left out has no limit. */
export type Cap = { readonly [U in Unit]?: number | undefined };

/**
 * run: one run with all runs below it · day: all runs of the agent in a UTC day · principalDay: the agent's runs of one
 * principal in a day · allAgentsDay: all runs of one principal in a day, by all agents.
 */
export const SCOPES = ["run", "day", "principalDay", "allAgentsDay"] as const;
export type Scope = (typeof SCOPES)[number];

export type Budget = { readonly [S in Scope]?: Cap | undefined };

/** In one scope: what was spent, and what the calls under way of other runs may still spend. */
export interface Standing {
  readonly spent: Spent;
  readonly reserved: Spent;
}

/** The standing of a scope that has no limit. */
export const NOTHING: Standing = { spent: { tokens: 0, dollars: 0 }, reserved: { tokens: 0, dollars: 0 } };

export type Verdict =
  | { readonly is: "within" }
  /** Nothing is left. */
  | { readonly is: "met"; readonly scope: Scope; readonly unit: Unit; readonly cap: number }
  /** Calls under way have reserved the rest: ask again when they have ended. */
  | { readonly is: "reserved"; readonly scope: Scope };

/**
 * A call may begin while anything is left after the reservations of other calls. The call may take more than what is
 * left: so a budget is overspent by at most one call.
 */
export function judgeBudget(budget: Budget, standings: Readonly<Record<Scope, Standing>>): Verdict {
  let verdict: Verdict = { is: "within" };
  for (const scope of SCOPES)
    for (const unit of UNITS) {
      const cap = budget[scope]?.[unit];
      const { spent, reserved } = standings[scope];
      if (cap === undefined) continue;
      if (spent[unit] >= cap) return { is: "met", scope, unit, cap };
      if (spent[unit] + reserved[unit] >= cap) verdict = { is: "reserved", scope };
    }
  return verdict;
}

/** In US dollars; 0 without a price. */
export function dollarsOf(usage: Usage, price: Price | undefined): number {
  if (!price) return 0;
  const perMillion =
    usage.input_tokens * price.input +
    usage.output_tokens * price.output +
    usage.cache_read_input_tokens * price.cache_read +
    usage.cache_creation_input_tokens * price.cache_write;
  return perMillion / 1_000_000;
}

/** All tokens, including those from the cache. */
export function tokensIn(usage: Usage): number {
  return usage.input_tokens + usage.output_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;
}

export function subtractUsage(a: Usage, b: Usage): Usage {
  return {
    input_tokens: a.input_tokens - b.input_tokens,
    output_tokens: a.output_tokens - b.output_tokens,
    cache_read_input_tokens: a.cache_read_input_tokens - b.cache_read_input_tokens,
    cache_creation_input_tokens: a.cache_creation_input_tokens - b.cache_creation_input_tokens,
  };
}
