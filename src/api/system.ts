/** What operators and monitors ask for: health, readiness, version, processes, metrics. */
import { z } from "zod";
import { MAX_PROCESSES } from "../core/limits.ts";
import { orNull, wholeNumber } from "./fields.ts";
import { json, media, route } from "./route.ts";

export const CHILD_KINDS = ["worker", "agent", "simulator"] as const;
export const CHILD_STATES = ["starting", "ready", "stalled", "draining", "restarting"] as const;

const VITALS = z.object({
  rss_bytes: z.int(),
  cpu_percent: z.number().describe("Of one core, over the last heartbeat interval."),
  busy_percent: z.number().describe("Share of the last heartbeat interval in which the event loop worked."),
  lag_ms: z
    .object({ p50: z.number(), p99: z.number() })
    .describe("How late the event loop ran what was due, over the last heartbeat interval."),
  in_flight: z.int().describe("Requests of a worker, runs of an agent, streams of the simulator."),
});

const GAUGES = z.record(z.string(), z.number());

const PROCESS = VITALS.extend({
  kind: z.enum(["primary", ...CHILD_KINDS]),
  id: z.int(),
  pid: z.int().nullable(),
  state: z.enum(CHILD_STATES),
  uptime_s: z.number(),
  restarts: z.int(),
  gauges: GAUGES.describe("The process's own figures by name."),
  last_exit: z
    .object({ at: z.number(), reason: z.string() })
    .nullable()
    .describe("Why the last child of this place died; null while none has. `at` in epoch ms."),
  leaving: z.int().describe("Replaced children of this place that still finish their work."),
}).meta({ id: "Process" });

export const MARK_TYPES = ["death", "stall", "reload", "scale"] as const;

const MARK = z
  .object({
    id: z.int().describe("Counts up from 1 in the primary."),
    at: z.number().describe("Epoch ms, by the primary's clock."),
    type: z.enum(MARK_TYPES),
    process: z.string().nullable().describe('For example "worker 2"; null when it concerns all.'),
    detail: z.string().describe("What happened, in words."),
  })
  .meta({ id: "Mark" });

const ADVICE = z
  .object({
    kind: z.enum(CHILD_KINDS),
    count: z.int().describe("How many processes of the kind would do."),
    text: z.string().describe('For example "workers 82 % busy for 5 min: 6 would be 55 %".'),
  })
  .meta({ id: "Advice" });

/** All processes at one moment. */
export const SNAPSHOT = z
  .object({
    seq: z.int().describe("Counts up from 1 in the primary; only grows while it lives."),
    at: z.number().describe("Epoch ms, by the primary's clock."),
    processes: z.array(PROCESS).readonly(),
    marks: z
      .array(MARK)
      .readonly()
      .describe("What happened to the processes in the last five minutes, oldest first; the newest 64."),
    advice: z.array(ADVICE).readonly().describe("What WORKERS and AGENTS should be, where the load says otherwise."),
  })
  .meta({ id: "Snapshot" });

export type Vitals = Readonly<z.output<typeof VITALS>>;
export type Gauges = Readonly<z.output<typeof GAUGES>>;
export type ProcessInfo = Readonly<z.output<typeof PROCESS>>;
export type Mark = Readonly<z.output<typeof MARK>>;
export type Snapshot = Readonly<z.output<typeof SNAPSHOT>>;

export const HEALTH = z.object({ status: z.literal("ok") });

export const READ_HEALTH = route({
  method: "GET",
  path: "/health",
  access: "anyone",
  lane: "fast",
  summary: "This process is alive",
  answers: { 200: json(HEALTH, "It is.") },
});

const READINESS = z
  .object({
    status: z.enum(["ready", "not_ready"]),
    checks: z.record(z.string(), z.string()).describe("Each dependency: `ok`, or what is wrong."),
  })
  .meta({ id: "Readiness" });

export const READ_READY = route({
  method: "GET",
  path: "/ready",
  access: "viewer",
  summary: "All that a chat needs is there",
  answers: { 200: json(READINESS, "It is."), 503: json(READINESS, "Something is missing.") },
});

const INFO = z
  .object({
    name: z.literal("evenkeel"),
    version: z.string(),
    mode: z.enum(["dev", "production"]),
    environment: z.enum(["development", "production"]),
    reload: z.boolean(),
    node: z.string(),
    engine: z.object({ driver: z.string(), runs: z.record(z.string(), z.int()) }),
    processes: z.object({ workers: z.int(), agents: z.int() }),
    model: z.object({ simulated: z.boolean() }),
    agents: z.array(z.string()).readonly(),
  })
  .meta({ id: "Info" });

export const READ_INFO = route({
  method: "GET",
  path: "/info",
  access: "viewer",
  summary: "Version, mode, engine and agents",
  answers: { 200: json(INFO, "What this server is.") },
});

export const LIST_PROCESSES = route({
  method: "GET",
  path: "/api/workers",
  access: "operator",
  summary: "All processes, as they were a moment ago",
  query: z.strictObject({}),
  answers: {
    200: json(
      z
        .object({ processes: z.array(PROCESS).readonly(), advice: z.array(ADVICE).readonly() })
        .meta({ id: "ProcessList" }),
      "Primary and children.",
    ),
  },
});

const COUNT = wholeNumber(1, MAX_PROCESSES);

export const SCALE_PROCESSES = route({
  method: "POST",
  path: "/api/scale",
  access: "admin",
  summary: "Start or end workers and agents",
  description:
    "From then on the load changes their number no more, until the next start. One that is one too many takes nothing new " +
    "and finishes what it has; `GET /api/workers` shows what comes of it.",
  query: z.strictObject({}),
  body: z.strictObject({ workers: orNull(COUNT), agents: orNull(COUNT) }).meta({ id: "Scale" }),
  answers: {
    202: json(
      z.object({ workers: z.int().nullable(), agents: z.int().nullable() }).meta({ id: "Scaled" }),
      "It begins; null: as it was.",
    ),
  },
  errors: ["INVALID_JSON", "UNSUPPORTED_MEDIA_TYPE", "BODY_TOO_LARGE"],
});

export const READ_METRICS = route({
  method: "GET",
  path: "/metrics",
  access: "operator",
  summary: "Figures of all processes for Prometheus",
  answers: { 200: media("text/plain", "Prometheus' text format.") },
});
