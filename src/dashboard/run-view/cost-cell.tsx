/** A run's cost, "–" where no price is known, and said to be pretended where the model is simulated. */
import type { Usage } from "../../core/run.ts";
import { agents } from "../agents.ts";
import { info } from "../info.ts";
import { costOf, dollars, priceOf } from "./cost.ts";

export function Cost({ agentId, usage }: { agentId: string; usage: Usage }) {
  const cost = costOf(usage, priceOf(agentId, agents.value));
  if (cost === undefined)
    return (
      <span class="mute" title="No price in config/agents.ts">
        –
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
