/** "Is it responsive right now?": six figures, their charts, and recent problems. */
import { GAUGE } from "../../../core/gauges.ts";
import "./overview.css";
import { Chart, type ChartProps } from "../../charts/chart.tsx";
import { subjectOf, whatHappened } from "../../charts/mark-words.ts";
import { ProcessChoice } from "../../charts/process-choice.tsx";
import { deliveryLines, healthLines, lagLines, runLines, tokenLines, viewerLines } from "../../charts/lines.ts";
import { HEALTH_P99, healthTone, modelState, slowestWorker, tokensDetail, tokensPerSecond } from "./figures.ts";
import { bytes, count, duration } from "../../ui/format.ts";
import { fullNameOf, maxOf, sumOf, type Mark } from "../../store/history.ts";
import { info } from "../../store/info.ts";
import { latest, processHistory } from "../../store/processes.ts";
import { IN_FLIGHT } from "../runs/run-filter.ts";
import { Machines } from "./machines.tsx";
import { href } from "../../router.ts";
import { Ago } from "../../ui/ago.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Tile } from "../../ui/tile.tsx";

const CHARTS: readonly ChartProps[] = [
  {
    title: "/health",
    about: "how long /health takes: p99 and p50",
    lines: healthLines,
    format: duration,
    atLeast: 2,
    nothing: "No figures: only workers answer /health",
  },
  {
    title: "Event loop lag",
    about: "how late a process runs what is due: p99, and p50 of a chosen process",
    lines: lagLines,
    format: duration,
    atLeast: 10,
  },
  {
    title: "Runs",
    about: "runs in flight, and waiting in the queue",
    lines: runLines,
    format: count,
    atLeast: 4,
  },
  {
    title: "Output",
    about: "tokens the model writes a second, estimated",
    lines: tokenLines,
    format: count,
    atLeast: 20,
  },
  {
    title: "Viewers",
    about: "subscriptions and streams that are followed",
    lines: viewerLines,
    format: count,
    atLeast: 4,
  },
  {
    title: "Append to socket",
    about: "from an event's append to its write to a viewer's socket",
    lines: deliveryLines,
    format: duration,
    atLeast: 10,
  },
];

/** Older marks than so many are counted, not listed. */
const MAX_INCIDENTS = 50;

export function OverviewPage() {
  return (
    <>
      <div class="page-head">
        <h1>Overview</h1>
        <p>The last five minutes</p>
      </div>
      <Tiles />
      <div class="charts-head">
        <ProcessChoice />
        <IncidentCount />
      </div>
      <Charts />
      <Machines />
      <Advice />
      <Incidents />
    </>
  );
}

function Charts() {
  return (
    <div class="charts">
      {CHARTS.map((chart) => (
        <Chart key={chart.title} {...chart} />
      ))}
    </div>
  );
}

function Tiles() {
  const snapshot = latest.value;
  const gauge = (name: string) => snapshot && sumOf(snapshot, "primary", name);
  const p99 = snapshot && maxOf(snapshot, "worker", HEALTH_P99);
  const slowest = snapshot ? slowestWorker(snapshot) : undefined;
  const queued = gauge(GAUGE.runsQueued);
  const tokens = snapshot && tokensPerSecond(processHistory);
  const viewers = snapshot && sumOf(snapshot, "worker", GAUGE.viewers);
  const model = modelState(processHistory);
  return (
    <div class="tiles">
      <Tile
        label="/health, worst p99"
        value={p99 === null ? null : duration(p99)}
        tone={healthTone(p99, slowest)}
        detail={snapshot && slowest ? fullNameOf(slowest, snapshot) : "not measured yet"}
      />
      <Tile
        label="Runs in flight"
        value={shown(gauge(GAUGE.runsRunning))}
        detail={parkedRuns(snapshot && sumOf(snapshot, "agent", GAUGE.runsParked))}
        href={href("runs", undefined, { status: IN_FLIGHT })}
      />
      <Tile
        label="Queue"
        value={shown(queued)}
        detail={queued === 0 ? "nobody waits" : "waiting for an agent"}
        href={href("runs", undefined, { status: "queued" })}
      />
      <Tile
        label="Tokens/s"
        value={tokens === null ? null : `≈ ${count(tokens)}`}
        detail={tokensDetail(processHistory)}
      />
      <Tile
        label="Model"
        value={model.word}
        tone={model.tone}
        detail={info.value?.model.simulated === true ? `${model.detail} · simulated` : model.detail}
      />
      <Tile
        label="Viewers"
        value={shown(viewers)}
        detail={snapshot ? queuedBytes(sumOf(snapshot, "worker", GAUGE.queuedBytes) ?? 0) : ""}
      />
    </div>
  );
}

function parkedRuns(parked: number | null): string {
  return parked ? `${count(parked)} parked` : "working now";
}

function queuedBytes(waiting: number): string {
  return waiting === 0 ? "all keep up" : `${bytes(waiting)} not taken yet`;
}

function shown(value: number | null): string | null {
  return value === null ? null : count(value);
}

/**
 * Counts of the marks, above the charts, where readers see them. A list there would move the charts while they are
 * read.
 */
function IncidentCount() {
  void latest.value;
  const { marks } = processHistory;
  const countOf = (...types: readonly Mark["type"][]) => count(marks.filter(({ type }) => types.includes(type)).length);
  return (
    <p class={marks.some(({ type }) => type === "death" || type === "stall") ? "mark-death" : undefined}>
      Deaths: {countOf("death")} · stalls: {countOf("stall")} · reloads: {countOf("reload", "start")}
    </p>
  );
}

/** Advice on WORKERS and AGENTS that follows from the load, if there is any. */
function Advice() {
  const { advice = [], machines = [] } = latest.value ?? {};
  return advice.map(({ machine, kind, text }) => (
    <p key={`${machine} ${kind}`} class="advice" role="note">
      <strong>{kind === "worker" ? "WORKERS" : "AGENTS"}</strong> {machines.length > 1 && `of ${machine}: `}
      {text}
    </p>
  ));
}

/** The marks of the charts as text, for people who cannot hover, and for copying. */
function Incidents() {
  const snapshot = latest.value;
  const all = processHistory.marks.toReversed();
  const marks = all.slice(0, MAX_INCIDENTS);
  return (
    <section class="card incidents">
      <div class="card-head">
        <h2>Deaths, stalls and reloads</h2>
        <p>in the last five minutes</p>
      </div>
      {marks.length === 0 ? (
        <Empty title="None" />
      ) : (
        <ul>
          {marks.map((mark) => (
            <Incident
              key={`${mark.machine} ${mark.id}`}
              mark={mark}
              subject={snapshot ? subjectOf(mark, snapshot) : ""}
            />
          ))}
          {all.length > marks.length && <li>{count(all.length - marks.length)} earlier ones are not shown.</li>}
        </ul>
      )}
    </section>
  );
}

function Incident({ mark, subject }: { mark: Mark; subject: string }) {
  return (
    <li>
      <Ago at={mark.at} />
      <strong>{subject}</strong>
      <span class={`mark-${mark.type}`}>{whatHappened(mark)}</span>
    </li>
  );
}
