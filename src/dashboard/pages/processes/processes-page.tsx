/** The present state of every process of the tree. On a narrow screen each row is a card (processes.css). */
import "./processes.css";
import { bytes, count, duration, percent, seconds } from "../../ui/format.ts";
import { isMeasured, nameOf, type ProcessInfo, type Snapshot } from "../../store/history.ts";
import { latest } from "../../store/processes.ts";
import { Ago } from "../../ui/ago.tsx";
import { Empty } from "../../ui/empty.tsx";
import { MachineHead } from "../../ui/machine-head.tsx";
import { StatusBadge } from "../../ui/status-badge.tsx";

export function ProcessesPage() {
  const snapshot = latest.value;
  return (
    <>
      <div class="page-head">
        <h1>Processes</h1>
        <p>{snapshot ? summary(snapshot) : "Waiting for the first snapshot"}</p>
      </div>
      {snapshot && snapshot.processes.length === 0 && <Empty title="No process has told of itself yet" />}
      {snapshot && snapshot.processes.length > 0 && <Machines snapshot={snapshot} />}
    </>
  );
}

/** One machine needs no name: it is all there is. */
function Machines({ snapshot }: { snapshot: Snapshot }) {
  const { machine: answering, machines, processes } = snapshot;
  if (machines.length <= 1) return <Table processes={processes} />;
  return machines.map((machine) => (
    <section key={machine.machine} class="processes-machine" aria-label={machine.machine}>
      <MachineHead machine={machine} isAnswering={machine.machine === answering} />
      {machine.state === "live" && (
        <Table processes={processes.filter((process) => process.machine === machine.machine)} />
      )}
    </section>
  ));
}

function Table({ processes }: { processes: readonly ProcessInfo[] }) {
  return (
    <div class="card processes">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Process</th>
            <th scope="col">State</th>
            {["PID", "Uptime", "CPU", "Memory", "Lag p50", "Lag p99", "In flight", "Restarts"].map((title) => (
              <th key={title} scope="col" class="right">
                {title}
              </th>
            ))}
            <th scope="col">Last exit</th>
          </tr>
        </thead>
        <tbody>
          {processes.map((process) => (
            <Row key={nameOf(process)} process={process} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ process }: { process: ProcessInfo }) {
  const measured = (text: string) => (isMeasured(process) ? text : "–");
  return (
    <tr>
      <th scope="row">{nameOf(process)}</th>
      <td>
        <StatusBadge status={process.state} />
        {process.leaving > 0 && <span class="processes-leaving">{process.leaving} leaving</span>}
      </td>
      <Cell label="PID">{process.pid ?? "–"}</Cell>
      <Cell label="Uptime">{measured(seconds(process.uptime_s))}</Cell>
      <Cell label="CPU">{measured(percent(process.cpu_percent))}</Cell>
      <Cell label="Memory">{measured(bytes(process.rss_bytes))}</Cell>
      <Cell label="Lag p50">{measured(duration(process.lag_ms.p50))}</Cell>
      <Cell label="Lag p99" tone={lagTone(process)}>
        {measured(duration(process.lag_ms.p99))}
      </Cell>
      <Cell label="In flight">{measured(count(process.in_flight))}</Cell>
      <Cell label="Restarts" tone={process.restarts > 0 ? "warn" : ""}>
        {process.restarts}
      </Cell>
      <td class={`last-exit ${process.last_exit ? "" : "last-exit-none"}`} data-label="Last exit">
        {process.last_exit ? (
          <>
            <Ago at={process.last_exit.at} /> {process.last_exit.reason}
          </>
        ) : (
          <span class="mute">none</span>
        )}
      </td>
    </tr>
  );
}

function Cell({ label, tone = "", children }: { label: string; tone?: string; children: string | number }) {
  return (
    <td class={`right num ${tone && `text-${tone}`}`} data-label={label}>
      {children}
    </td>
  );
}

/** People notice a lag above 100 ms; the median of a loaded agent is below it. */
function lagTone({ kind, lag_ms: { p99 } }: ProcessInfo): string {
  if (kind === "agent" || kind === "simulator") return p99 > 500 ? "warn" : "";
  return p99 > 100 ? "bad" : "";
}

function summary({ machines, processes }: Snapshot): string {
  const ready = processes.filter(({ state }) => state === "ready").length;
  const memory = processes.reduce((sum, { rss_bytes }) => sum + rss_bytes, 0);
  const cpu = processes.reduce((sum, { cpu_percent }) => sum + cpu_percent, 0);
  const where = machines.length > 1 ? ` on ${machines.length} machines` : "";
  return `${ready} of ${processes.length} ready${where}, ${bytes(memory)}, ${percent(cpu)} of one core`;
}
