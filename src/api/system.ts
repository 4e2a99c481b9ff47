/** What operators and monitors ask for: health, readiness, version, processes, metrics. */
import { z } from "zod";
import { BUSES } from "../core/gauges.ts";
import { MAX_PROCESSES } from "../core/limits.ts";
import { expecting, orNull } from "./fields.ts";
import { json, media, route } from "./route.ts";

export const CHILD_KINDS = ["worker", "agent", "simulator"] as const;
export const CHILD_STATES = ["starting", "ready", "stalled", "draining", "restarting"] as const;

const VITALS = z.object({
  rss_bytes: z.int(),
  cpu_percent: z.number().describe("CPU use in percent of one core, over the last heartbeat interval."),
  busy_percent: z
    .number()
    .describe("The share of the last heartbeat interval, in percent, during which the event loop worked."),
  cpu_granted_percent: z
    .number()
    .describe(
      "Of the time in which the main thread could have worked, the share in percent in which it had a core. 100 where the " +
        "system does not tell; only Linux does.",
    ),
  lag_ms: z
    .object({ p50: z.number(), p99: z.number() })
    .describe("How late the event loop ran due timers, over the last heartbeat interval."),
  in_flight: z.int().describe("Requests in a worker, runs in an agent, streams in the simulator."),
});

const GAUGES = z.record(z.string(), z.number());

/** A process as its own machine knows it. */
const OWN_PROCESS = VITALS.extend({
  kind: z.enum(["primary", ...CHILD_KINDS]),
  id: z.int(),
  pid: z.int().nullable(),
  state: z.enum(CHILD_STATES),
  uptime_s: z.number(),
  restarts: z.int(),
  gauges: GAUGES.describe("Further figures of the process, by name."),
  last_exit: z
    .object({ at: z.number(), reason: z.string() })
    .nullable()
    .describe(
      "Why the last process in this place died. Null while none has died. `at` is in milliseconds since the epoch.",
    ),
  leaving: z.int().describe("The number of replaced processes that still finish their work."),
});

const MACHINE_NAME = z
  .string()
  .describe("The name of the machine. On a shared storage each start of a server has a new name.");

const PROCESS = OWN_PROCESS.extend({ machine: MACHINE_NAME }).meta({ id: "Process" });

const MACHINE = z
  .object({
    machine: MACHINE_NAME,
    version: z.string().describe("The version of evenkeel that the machine runs."),
    state: z
      .enum(["live", "silent"])
      .describe(
        "`silent`: the machine stopped reporting. Its processes are not listed. It is forgotten after five minutes.",
      ),
    age_ms: z.int().describe("The age of the machine's report; 0 for the machine that answers."),
  })
  .meta({ id: "Machine" });

export const MARK_TYPES = ["death", "stall", "reload", "scale"] as const;

/** A mark as its own machine knows it. */
const OWN_MARK = z.object({
  id: z.int().describe("Counts from 1 since the primary of its machine started."),
  at: z.number().describe("Milliseconds since the epoch, by the clock of the primary that answers."),
  type: z.enum(MARK_TYPES),
  process: z
    .string()
    .nullable()
    .describe('For example "worker 2". Null when it concerns all processes of the machine.'),
  detail: z.string().describe("What happened, as a sentence."),
});

const MARK = OWN_MARK.extend({ machine: MACHINE_NAME }).meta({ id: "Mark" });

const OWN_ADVICE = z.object({
  kind: z.enum(CHILD_KINDS),
  count: z.int().describe("The number of processes of this kind that would suffice."),
  text: z.string().describe('For example "workers 82 % busy for 5 min: 6 would be 55 %".'),
});

const ADVICE = OWN_ADVICE.extend({ machine: MACHINE_NAME }).meta({ id: "Advice" });

/** By its age when it was reported: the clocks of two machines may differ. */
const REPORTED_MARK = OWN_MARK.omit({ at: true }).extend({ age_ms: z.number() });

/** What a machine reports of itself to the others, as JSON in the storage. `readReport` reads it. */
export const MACHINE_REPORT = z.object({
  version: z.string(),
  processes: z.array(OWN_PROCESS).readonly(),
  advice: z.array(OWN_ADVICE).readonly(),
  marks: z.array(REPORTED_MARK).readonly(),
});

/** All processes of all machines at one moment: as they are on the machine that answers, as reported on the others. */
export const SNAPSHOT = z
  .object({
    seq: z.int().describe("Counts from 1 since the primary started."),
    at: z.number().describe("Milliseconds since the epoch, by the primary's clock."),
    machine: z.string().describe("The machine that answers."),
    machines: z.array(MACHINE).readonly().describe("The machine that answers, and then the others by name."),
    processes: z.array(PROCESS).readonly(),
    marks: z
      .array(MARK)
      .readonly()
      .describe(
        "What happened to the processes of all machines in the last five minutes, oldest first: at most 64 marks of the machine that answers, and 64 of the others.",
      ),
    advice: z.array(ADVICE).readonly().describe("Other values for WORKERS and AGENTS, where the load suggests them."),
  })
  .meta({ id: "Snapshot" });

export type Vitals = Readonly<z.output<typeof VITALS>>;
export type Gauges = Readonly<z.output<typeof GAUGES>>;
export type OwnProcess = Readonly<z.output<typeof OWN_PROCESS>>;
export type ProcessInfo = Readonly<z.output<typeof PROCESS>>;
export type OwnAdvice = Readonly<z.output<typeof OWN_ADVICE>>;
export type Machine = Readonly<z.output<typeof MACHINE>>;
export type MachineReport = Readonly<z.output<typeof MACHINE_REPORT>>;
export type OwnMark = Readonly<z.output<typeof OWN_MARK>>;
export type ReportedMark = Readonly<z.output<typeof REPORTED_MARK>>;
export type Mark = Readonly<z.output<typeof MARK>>;
export type Snapshot = Readonly<z.output<typeof SNAPSHOT>>;

export const HEALTH = z.object({ status: z.literal("ok") });

export const READ_HEALTH = route({
  method: "GET",
  path: "/health",
  access: "anyone",
  lane: "fast",
  summary: "Check that this process is alive",
  answers: { 200: json(HEALTH, "The process is alive.") },
});

const READINESS = z
  .object({
    status: z.enum(["ready", "not_ready"]),
    checks: z.record(z.string(), z.string()).describe("For each dependency `ok`, or what is wrong."),
    bus: z
      .object({ name: z.enum(BUSES), connected: z.boolean() })
      .nullable()
      .describe(
        "How the processes of a Postgres storage tell each other news. While it is not connected, events come up to a " +
          "second late, and the server is ready all the same. Null for a file, which needs no bus.",
      ),
  })
  .meta({ id: "Readiness" });

export const READ_READY = route({
  method: "GET",
  path: "/ready",
  access: "viewer",
  summary: "Check that everything that a chat needs works",
  answers: { 200: json(READINESS, "Everything works."), 503: json(READINESS, "Something does not work.") },
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
  summary: "Show version, mode, engine and agents",
  answers: { 200: json(INFO, "A description of this server.") },
});

export const LIST_PROCESSES = route({
  method: "GET",
  path: "/api/workers",
  access: "operator",
  summary: "List all processes of all machines",
  description:
    "The processes of the machine that answers are shown as they were up to a second ago, those of the others as they " +
    "were last reported.",
  query: z.strictObject({}),
  answers: {
    200: json(
      SNAPSHOT.pick({ machine: true, machines: true, processes: true, advice: true }).meta({ id: "ProcessList" }),
      "The primary and its children, of each machine.",
    ),
  },
});

const COUNT = expecting(
  z.union([z.int().min(1).max(MAX_PROCESSES), z.literal("default")]),
  `a whole number from 1 to ${MAX_PROCESSES}, or "default"`,
);
const COUNTS = expecting(
  z
    .strictObject({ workers: orNull(COUNT), agents: orNull(COUNT) })
    .refine(({ workers, agents }) => (workers ?? agents ?? null) !== null)
    .meta({ id: "Scale" }),
  "a JSON object with `workers`, `agents`, or both",
);
const SET = z.union([z.int(), z.literal("default")]).nullable();

export const SCALE_PROCESSES = route({
  method: "POST",
  path: "/api/scale",
  access: "admin",
  summary: "Set the number of workers and agents of the machine that answers",
  description:
    "After that the load no longer changes their number, until the next start; `default` goes back to what WORKERS and " +
    "AGENTS say, within some seconds. A process that is to end takes no new work and finishes its work. `GET /api/workers` " +
    "shows the result.",
  query: z.strictObject({}),
  body: COUNTS,
  answers: {
    202: json(
      z.object({ workers: SET, agents: SET }).meta({ id: "Scaled" }),
      "The numbers that were set. Null: unchanged.",
    ),
  },
  errors: ["INVALID_JSON", "UNSUPPORTED_MEDIA_TYPE", "BODY_TOO_LARGE"],
});

export const READ_METRICS = route({
  method: "GET",
  path: "/metrics",
  access: "operator",
  summary: "Read the figures of all processes of the machine that answers, for Prometheus",
  answers: { 200: media("text/plain", "The text format of Prometheus.") },
});
