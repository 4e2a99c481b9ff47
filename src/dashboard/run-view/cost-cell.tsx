/**
 * A run's tokens and cost: "–" if the usage is not known, "no price" if the agent has no price, and a note that the
 * cost is not real if the model is simulated.
 */
import type { Usage } from "../../core/run.ts";
import { agents } from "../store/agents.ts";
import { info } from "../store/info.ts";
import { count } from "../ui/format.ts";
import { costOf, dollars, priceOf, tokensOf } from "./cost.ts";

/** Input and output tokens. */
export function Tokens({ usage }: { usage: Usage | null }) {
  if (!usage) return <Unknown />;
  const { input, output } = tokensOf(usage);
  return (
    <span class="num">
      {count(input)} · {count(output)}
    </span>
  );
}

export function Cost({ agentId, usage }: { agentId: string; usage: Usage | null }) {
  if (!usage) return <Unknown />;
  return <Dollars cost={costOf(usage, priceOf(agentId, agents.value))} />;
}

/** @param cost undefined without a price */
export function Dollars({ cost }: { cost: number | undefined }) {
  if (cost === undefined)
    return (
      <span class="mute" title="Give the agent a price in config/agents.ts, and its cost stands here">
        no price
      </span>
    );
  const isSimulated = info.value?.model.simulated === true;
  return (
    <span
      class={isSimulated ? "num mute" : "num"}
      {...(isSimulated && { title: "Simulated model: nothing was charged" })}
    >
      {dollars(cost)}
    </span>
  );
}

function Unknown() {
  return (
    <span class="mute unknown" title="Known when the run is over, if the model tells it">
      –
    </span>
  );
}
