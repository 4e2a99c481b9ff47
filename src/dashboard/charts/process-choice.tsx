/** Chooses whose figures the charts of processes show: the worst of each kind, or one process. */
import "./process-choice.css";
import { fullNameOf } from "../store/history.ts";
import { latest } from "../store/processes.ts";
import { chosenProcess } from "./chosen.ts";

export function ProcessChoice() {
  const chosen = chosenProcess.value;
  const snapshot = latest.value;
  const names = snapshot?.processes.map((process) => fullNameOf(process, snapshot)) ?? [];
  // A process that is gone stays chosen until somebody chooses again.
  const all = chosen === null || names.includes(chosen) ? names : [...names, chosen];
  // Mark the chosen `option` and leave the select's value alone: setting it with each snapshot would disturb a person
  // who is choosing.
  return (
    <label class="process-choice">
      <span>/health and loop lag of</span>
      <select class="input" onChange={(event) => (chosenProcess.value = event.currentTarget.value || null)}>
        <option value="" selected={chosen === null}>
          worst of each kind
        </option>
        {all.map((name) => (
          <option key={name} value={name} selected={name === chosen}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
