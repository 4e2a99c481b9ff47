/**
 * The waterfall: one bar a segment, a sentence that answers "why is this run slow?", and the same as a table for people
 * who cannot see bars. Bars are placed through the style property: the CSP forbids style attributes.
 */
import "./waterfall-chart.css";
import { useMemo } from "preact/hooks";
import { duration, timeBetween } from "../ui/format.ts";
import { SEGMENT_KINDS, type Segment, type SegmentKind, type Waterfall } from "./waterfall.ts";
import { whySlow } from "./why-slow.ts";

/** A live chart is drawn anew four times a second: every bar moves when the scale grows. */
const STEP_MS = 250;

const NAMES: Record<SegmentKind, string> = {
  queued: "Queue",
  rate_limit: "Wait before retry",
  first_token: "First token",
  thinking: "Thinking",
  generating: "Generating",
  compacting: "Shortening",
  tool: "Tool",
  parked: "Parked",
};

export function WaterfallChart({ waterfall, now }: { waterfall: Waterfall; now: number }) {
  const end = waterfall.end ?? Math.ceil(Math.max(now, waterfall.lastAt) / STEP_MS) * STEP_MS;
  return useMemo(
    () => <Chart waterfall={waterfall} end={end} />,
    [waterfall, waterfall.segments.length, waterfall.end, end],
  );
}

function Chart({ waterfall, end }: { waterfall: Waterfall; end: number }) {
  const start = waterfall.start ?? end;
  const scale = { start, totalMs: Math.max(1, end - start) };
  return (
    <figure class="fall">
      <figcaption class="fall-answer">{whySlow(waterfall, end)}</figcaption>
      <Legend waterfall={waterfall} now={end} />
      {/* The chart scrolls, so the keyboard stops at it and it needs a name. The table below has its content. */}
      <div class="fall-rows" tabIndex={0} role="group" aria-label="Waterfall">
        <div aria-hidden="true">
          {waterfall.segments.map((segment, index) => (
            <Bar key={index} segment={segment} scale={scale} end={end} />
          ))}
          <Axis totalMs={scale.totalMs} />
        </div>
      </div>
      <SegmentTable waterfall={waterfall} start={start} end={end} />
    </figure>
  );
}

interface Scale {
  readonly start: number;
  readonly totalMs: number;
}

function Bar({ segment, scale, end }: { segment: Segment; scale: Scale; end: number }) {
  const until = segment.end ?? end;
  const left = ((segment.start - scale.start) / scale.totalMs) * 100;
  const width = ((until - segment.start) / scale.totalMs) * 100;
  const words = `${segment.label}${segment.reason ? `: ${segment.reason}` : ""}`;
  return (
    <div class="fall-row" title={words}>
      <span class="fall-label">{segment.label}</span>
      <span class="fall-track">
        <span
          class={`fall-bar fall-${segment.kind}${segment.isVoid ? " fall-void" : ""}${segment.end === null ? " fall-open" : ""}`}
          style={{ left: `${left}%`, width: `${width}%` }}
        />
      </span>
      <span class="fall-ms num">{timeBetween(segment.start, until)}</span>
    </div>
  );
}

function Axis({ totalMs }: { totalMs: number }) {
  return (
    <div class="fall-row fall-axis">
      <span class="fall-label" />
      <span class="fall-track">
        <span>0</span>
        <span>{duration(totalMs / 2)}</span>
        <span>{duration(totalMs)}</span>
      </span>
      <span class="fall-ms" />
    </div>
  );
}

function Legend({ waterfall, now }: { waterfall: Waterfall; now: number }) {
  const sums = waterfall.sums(now);
  return (
    <ul class="fall-legend">
      {SEGMENT_KINDS.filter((kind) => sums[kind] > 0).map((kind) => (
        <li key={kind}>
          <span class={`fall-key fall-${kind}`} aria-hidden="true" />
          {NAMES[kind]} <span class="num">{duration(sums[kind])}</span>
        </li>
      ))}
    </ul>
  );
}

/** A table grows with its cells, whatever its width; so the box around it hides it. */
function SegmentTable({ waterfall, start, end }: { waterfall: Waterfall; start: number; end: number }) {
  return (
    <div class="visually-hidden">
      <table>
        <caption>What the run spent its time on</caption>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Began after</th>
            <th scope="col">Took</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {waterfall.segments.map((segment, index) => (
            <tr key={index}>
              <th scope="row">{segment.kind === "tool" ? `Tool ${segment.label}` : segment.label}</th>
              <td>{duration(segment.start - start)}</td>
              <td>{`${timeBetween(segment.start, segment.end ?? end)}${segment.end === null ? " so far" : ""}`}</td>
              <td>{segment.reason ?? (segment.isVoid ? "void" : "")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
