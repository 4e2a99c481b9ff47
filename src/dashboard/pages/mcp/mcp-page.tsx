/** The MCP servers, as each agent process runs them: their state, their calls, and their last output. */
import "./mcp.css";
import { useState } from "preact/hooks";
import { services } from "../../live/services.ts";
import { useStarted } from "../../live/use-started.ts";
import { Ask } from "../../ui/ask.tsx";
import { Button } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { ErrorNote } from "../../ui/error-note.tsx";
import { Folded } from "../../ui/folded.tsx";
import { count, duration } from "../../ui/format.ts";
import { Loading } from "../../ui/loading.tsx";
import { StatusBadge } from "../../ui/status-badge.tsx";
import { McpList, type McpServer } from "./mcp-list.ts";

export function McpPage() {
  const list = useStarted(() => new McpList(services), []);
  const servers = list.servers.value;
  const byName = Object.entries(Object.groupBy(servers ?? [], ({ server }) => server));
  return (
    <>
      <header class="page-head">
        <h1>MCP servers</h1>
        <p>{servers && servers.length > 0 && "As each agent process runs them"}</p>
      </header>
      {list.error.value && <ErrorNote error={list.error.value} />}
      {list.actionError.value && <ErrorNote error={list.actionError.value} />}
      {servers === null && !list.error.value && <Loading what="Loading the MCP servers" />}
      {servers?.length === 0 && (
        <Empty title="No MCP servers">
          <p>
            Describe one in <code>config/mcp.ts</code>, and name it in an agent's <code>mcp</code>.
          </p>
        </Empty>
      )}
      {byName.map(([name, reports]) => (
        <Server key={name} name={name} reports={reports ?? []} onRestart={() => list.restart(name)} />
      ))}
    </>
  );
}

interface Props {
  readonly name: string;
  /** A report of each agent process. */
  readonly reports: readonly McpServer[];
  readonly onRestart: () => void;
}

function Server({ name, reports, onRestart }: Props) {
  const [isAsking, setAsking] = useState(false);
  const tools = reports.find((report) => report.tools.length > 0);
  const stderr = reports.filter((report) => report.stderr !== "");
  return (
    <section class="card mcp-server" aria-label={name}>
      <div class="mcp-head">
        <h2>{name}</h2>
        <p>{reports[0]?.kind === "http" ? "over HTTP" : "a program of this machine"}</p>
        <Button onClick={() => setAsking(true)} label={`Restart ${name}`}>
          Restart
        </Button>
      </div>
      {tools && <Tools of={tools} />}
      <div class="mcp-scroll">
        <Reports reports={reports} />
      </div>
      {stderr.map((report) => (
        <Folded key={report.agent_process} label={`stderr of agent ${report.agent_process}`} text={report.stderr} />
      ))}
      {isAsking && (
        <Ask
          title={`Restart ${name}?`}
          verb="Restart"
          onYes={() => {
            setAsking(false);
            onRestart();
          }}
          onNo={() => setAsking(false)}
        >
          <p>In every agent process. Calls that are under way fail, and their runs go on with the error.</p>
        </Ask>
      )}
    </section>
  );
}

function Tools({ of: { tools, tool_count: all } }: { of: McpServer }) {
  const more = all - tools.length;
  return (
    <p class="mcp-tools">
      {tools.map((tool) => (
        <code key={tool}>{tool}</code>
      ))}
      {more > 0 && <span class="mute">and {count(more)} more</span>}
    </p>
  );
}

function Reports({ reports }: Pick<Props, "reports">) {
  return (
    <table class="table">
      <thead>
        <tr>
          <th scope="col">Process</th>
          <th scope="col">State</th>
          {["Calls", "Failed", "In flight", "p50", "p99", "Starts"].map((title) => (
            <th key={title} scope="col" class="right">
              {title}
            </th>
          ))}
          <th scope="col">Why it does not run, or ended last</th>
        </tr>
      </thead>
      <tbody>
        {reports.map((report) => (
          <tr key={report.agent_process}>
            <th scope="row">agent {report.agent_process}</th>
            <td>
              <StatusBadge status={report.state} />
            </td>
            <td class="right num">{count(report.calls)}</td>
            <td class={`right num${report.failed_calls > 0 ? " text-bad" : ""}`}>{count(report.failed_calls)}</td>
            <td class="right num">{report.in_flight}</td>
            <td class="right num">{report.latency_ms ? duration(report.latency_ms.p50) : "–"}</td>
            <td class="right num">{report.latency_ms ? duration(report.latency_ms.p99) : "–"}</td>
            <td class="right num">{report.starts}</td>
            <td class="mcp-reason">{reasonOf(report)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function reasonOf({ reason, next_try_ms: nextMs }: McpServer): string {
  if (reason === null) return "";
  return nextMs === null ? reason : `${reason}; next try in ${duration(nextMs)}`;
}
