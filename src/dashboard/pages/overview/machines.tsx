/** The machines that share the storage. One machine alone is not shown: all other figures are its own. */
import { latest } from "../../store/processes.ts";
import { MachineHead } from "../../ui/machine-head.tsx";

export function Machines() {
  const snapshot = latest.value;
  if (!snapshot || snapshot.machines.length <= 1) return null;
  const { machine: answering, machines } = snapshot;
  return (
    <section class="card machines">
      <div class="card-head">
        <h2>Machines</h2>
        <p>the figures above are those of all that are live</p>
      </div>
      <ul>
        {machines.map((machine) => (
          <li key={machine.machine}>
            <MachineHead machine={machine} isAnswering={machine.machine === answering} />
          </li>
        ))}
      </ul>
    </section>
  );
}
