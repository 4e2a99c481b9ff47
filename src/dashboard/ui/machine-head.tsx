/** A machine in one line: name, state, version, and how old its figures are. */
import "./machine-head.css";
import type { Machine } from "../../api/system.ts";
import { seconds } from "./format.ts";
import { StatusBadge } from "./status-badge.tsx";

/** @param isAnswering whether this page's figures come from this machine itself */
export function MachineHead({ machine, isAnswering }: { machine: Machine; isAnswering: boolean }) {
  const { machine: name, version, state, age_ms: ageMs } = machine;
  const age = seconds(ageMs / 1_000);
  return (
    <p class="machine-head">
      <strong>{name}</strong>
      <StatusBadge status={state} />
      <span>version {version}</span>
      {isAnswering && <span>answers this page</span>}
      {!isAnswering && state === "live" && <span>figures {age} old</span>}
      {state === "silent" && <span>for {age}; its runs go on at the others</span>}
    </p>
  );
}
