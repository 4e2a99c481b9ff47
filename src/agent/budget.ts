/**
 * The budgets that one run is subject to, checked before each model call, so that no call begins when nothing is left.
 * The engine reserves what a call may take, over all processes. Made by `work.ts`, asked by the loop.
 */
import type { Access } from "../core/access.ts";
import type { Agent } from "../core/agent.ts";
import { customEvent } from "../core/event.ts";
import type { Run } from "../core/run.ts";
import { dollarsOf, SCOPES, type Budget, type Scope, type Unit, type Verdict } from "../core/spending.ts";
import type { Engine } from "../engine/engine.ts";
import { TELL_MS } from "./governor/governor.ts";
import type { Parking } from "./parking.ts";
import { outlastTrouble } from "./retry-storage.ts";
import type { RunJournal } from "./run-journal.ts";
import { sleep } from "./sleep.ts";

/** Calls under way may have reserved the rest of a budget, so `reserve` is tried again after this time. */
const ASK_AGAIN_MS = 500;

export interface BudgetOptions {
  readonly run: Run;
  readonly fence: number;
  readonly agent: Agent;
  /** The budget of each principal, for all agents together. */
  readonly access: Pick<Access, "budget">;
  readonly engine: Engine;
  readonly parking: Parking;
  readonly journal: RunJournal;
}

/**
 * Resolves with undefined when a call may be made, or with one sentence when nothing is left. Rejects with the signal's
 * reason.
 * @param inputTokens estimates the tokens of the call; called only where there is a budget
 */
export type AskBudget = (inputTokens: () => number, signal: AbortSignal) => Promise<string | undefined>;

export function budgetOf(options: BudgetOptions): AskBudget {
  const { agent, parking } = options;
  const budget = budgetFor(options);
  if (SCOPES.every((scope) => !budget[scope])) return () => Promise.resolve(undefined);
  return async (inputTokens, signal) => {
    const input = inputTokens();
    const ask = () => outlastTrouble(() => reserve(options, budget, input), signal);
    let verdict = await ask();
    if (verdict.is === "reserved") verdict = await parking.pause(settled(verdict, ask, signal), signal);
    return verdict.is === "met" ? sentence(agent.agentId, verdict) : undefined;
  };

  async function settled(first: Verdict, ask: () => Promise<Verdict>, signal: AbortSignal): Promise<Verdict> {
    const since = performance.now();
    let isTold = false;
    for (let verdict = first; ; verdict = await ask()) {
      if (verdict.is !== "reserved") return verdict;
      const waitedMs = performance.now() - since;
      if (!isTold && waitedMs > TELL_MS) {
        isTold = true;
        const reason = `what is left of ${SCOPE_NAMES[verdict.scope]} is reserved by calls under way`;
        options.journal.emit(customEvent("evenkeel.waiting", { reason, until: Date.now() + TELL_MS }));
      }
      await sleep(ASK_AGAIN_MS, signal);
    }
  }
}

function budgetFor({ agent, access }: BudgetOptions): Budget {
  return { ...agent.budget, ...(access.budget && { allAgentsDay: access.budget.principalDay }) };
}

function reserve({ run, fence, agent, engine }: BudgetOptions, budget: Budget, input: number): Promise<Verdict> {
  const usage = {
    input_tokens: input,
    output_tokens: agent.maxTokens,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: 0,
  };
  const estimate = { tokens: input + agent.maxTokens, dollars: dollarsOf(usage, agent.price) };
  return engine.reserve({ runId: run.run_id, fence, budget, estimate });
}

const SCOPE_NAMES: Readonly<Record<Scope, string>> = {
  run: "the budget of one run",
  day: "the budget of this day",
  principalDay: "your budget of this day",
  allAgentsDay: "your budget of this day for all agents",
};

function sentence(agentId: string, { scope, unit, cap }: Extract<Verdict, { is: "met" }>): string {
  const again = scope === "run" ? "" : " It begins anew at 00:00 UTC.";
  return `Agent ${agentId} has used up ${SCOPE_NAMES[scope]}, ${amount(unit, cap)} (${nameOf(scope, unit)}).${again}`;
}

/** The name that the operator's configuration has for it. */
function nameOf(scope: Scope, unit: Unit): string {
  if (scope === "allAgentsDay") return `budget.principalDay.${unit} in config/access.ts`;
  return `budget.${scope}.${unit}`;
}

function amount(unit: Unit, cap: number): string {
  return unit === "tokens" ? `${cap} tokens` : `$${cap}`;
}
