/**
 * The primary turns the environment (and `.env`) into one checked `Settings` and hands that to its children over their
 * channel, so that no two processes ever disagree about a default. Pure: `environment.ts` reads `process.env`.
 */
import { hostname, networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import { newId } from "./core/id.ts";
import { MAX_PROCESSES } from "./core/limits.ts";
import type { DatabaseSettings } from "./engine/driver.ts";
import { DEFAULT_AGES, type Retention } from "./core/retention.ts";
import { isPassedOn, type Env } from "./environment.ts";
import { availableCores } from "./process/cores.ts";
import { autoCount } from "./process/scale.ts";
import { SettingsReader, type ApiKey, type ProcessBounds } from "./settings-reader.ts";
import { ROOT } from "./tree.ts";

export type Mode = "dev" | "production";

export interface Settings {
  readonly mode: Mode;
  readonly environment: "development" | "production";
  readonly reload: boolean;
  readonly host: string;
  readonly port: number;
  /** How many are started. */
  readonly workers: number;
  readonly agents: number;
  /** The bounds between which the load decides. */
  readonly workerBounds: ProcessBounds;
  readonly agentBounds: ProcessBounds;
  /** A process with more memory is replaced. */
  readonly workerMemoryBytes: number;
  readonly agentMemoryBytes: number;
  /** Runs that one agent process works on at once. */
  readonly agentConcurrency: number;
  /** Runs that may wait in the queue before new ones are refused with 503. */
  readonly maxQueued: number;
  /** Empty: protected mode, only loopback peers are served. */
  readonly apiKeys: readonly ApiKey[];
  /** See `Owner` in core/run.ts. */
  readonly machine: string;
  readonly boot: string;
  readonly dataDir: string;
  /** Postgres, for any number of machines; null: a file in `dataDir`. */
  readonly database: DatabaseSettings | null;
  /** See `OpenOptions` in engine/driver.ts. The primary passes it to its children. */
  readonly identity?: string;
  readonly configDir: string;
  readonly durability: "normal" | "full";
  readonly retention: Retention;
  readonly model: ModelSettings;
  readonly logLevel: LogLevel;
  /** A child silent for longer is killed and replaced. */
  readonly stallMs: number;
  /** How long a start waits for a port or folder that is still taken. */
  readonly startWaitMs: number;
  /** How long a connection without a request stays open: longer than a load balancer keeps it (60 s are usual). */
  readonly keepAliveMs: number;
  /** The path of a proxy under which we are served, "/evenkeel"; empty for none. */
  readonly basePath: string;
  /** How long `/ready` answers 503, when the server stops, before the port closes: a load balancer has to notice. */
  readonly drainDelayMs: number;
  /** How long draining may take, when the server stops, before what is left is cut off or given back. */
  readonly drainMs: number;
  /** How long an agent that was replaced (SIGHUP, a saved file) may go on with its runs. */
  readonly agentDrainMs: number;
  /** A viewer whose socket takes nothing for longer is closed. */
  readonly slowClientMs: number;
  /**
   * The operator's other variables, which are no settings. `config/agents.ts` and `config/mcp.ts` read them while
   * they load, and name the ones that a tool may see.
   */
  readonly toolEnv: Readonly<Record<string, string>>;
  /** A model stream silent for longer is given up and tried again. */
  readonly modelIdleMs: number;
  /** A model that sends nothing but pings for longer is given up and tried again. */
  readonly modelWordlessMs: number;
  /** The window of the simulated model. */
  readonly simContextTokens: number;
}

export interface ModelSettings {
  readonly simulated: boolean;
  readonly apiKey: string;
  /** URL of the model's endpoint, without user and password. Null: the SDK's default, the Anthropic API. */
  readonly baseUrl: string | null;
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY in capital letters, as far as they are set. */
  readonly proxy: Readonly<Record<string, string>>;
  /** The header that user and password of ANTHROPIC_BASE_URL make. */
  readonly authorization: string | null;
}

const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

const MIB = 1024 * 1024;

/** A day: longer than any answer. */
const MAX_PATIENCE_MS = 86_400_000;

/** Every problem of the environment at once. The entry prints it and exits 78 (EX_CONFIG). */
export class SettingsError extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "SettingsError";
  }
}

/** @param project the folder that has `config/`, unless CONFIG_DIR says otherwise. @throws SettingsError */
export function parseSettings(mode: Mode, env: Env, project = ROOT): Settings {
  const read = new SettingsReader(env);
  const settings = readAll(mode, read, project);
  if (read.problems.length > 0) throw new SettingsError(read.problems);
  return { ...settings, toolEnv: toolEnvOf(env, read.names) };
}

function readAll(mode: Mode, read: SettingsReader, project = ROOT): Omit<Settings, "toolEnv"> {
  const dev = mode === "dev";
  const reload = read.flag("RELOAD", dev);
  const cores = availableCores();
  const workerBounds = read.processes("WORKERS", { fallback: 4, max: MAX_PROCESSES, auto: autoCount("worker", cores) });
  const database = readDatabase(read);
  const agentBounds = read.processes("AGENTS", { fallback: 2, max: MAX_PROCESSES, auto: autoCount("agent", cores) });
  return {
    mode,
    environment: read.choice("ENVIRONMENT", ["development", "production"], dev ? "development" : "production"),
    reload,
    host: read.text("HOST", hasIpv6() ? "::" : "0.0.0.0"),
    port: read.count("PORT", { fallback: 8000, min: 0, max: 65_535 }),
    workers: reload ? 1 : workerBounds.min,
    workerBounds: reload ? { min: 1, max: 1, isAuto: false } : workerBounds,
    agents: agentBounds.min,
    agentBounds,
    workerMemoryBytes: MIB * read.count("WORKER_MEMORY_MB", { fallback: 1_024, min: 128, max: 1_048_576 }),
    agentMemoryBytes: MIB * read.count("AGENT_MEMORY_MB", { fallback: 2_048, min: 128, max: 1_048_576 }),
    agentConcurrency: read.count("AGENT_CONCURRENCY", { fallback: 100, max: 100_000 }),
    maxQueued: read.count("MAX_QUEUED", { fallback: 10_000, max: 10_000_000 }),
    apiKeys: read.apiKeys("API_KEYS"),
    machine: database ? machineName() : "local",
    database,
    boot: newId("boot"),
    dataDir: resolve(read.text("DATA_DIR", "./data")),
    configDir: resolve(read.text("CONFIG_DIR", join(project, "config"))),
    durability: read.choice("DURABILITY", ["normal", "full"], "normal"),
    retention: {
      deltasMs: read.age("RETAIN_DELTAS", DEFAULT_AGES.deltas),
      threadsMs: read.age("RETAIN_THREADS", DEFAULT_AGES.threads),
      filesMs: read.age("RETAIN_FILES", DEFAULT_AGES.files),
      activitiesMs: read.age("RETAIN_ACTIVITIES", DEFAULT_AGES.activities),
      keysMs: read.age("RETAIN_KEYS", DEFAULT_AGES.keys),
    },
    model: readModel(read),
    logLevel: read.choice("LOG_LEVEL", LOG_LEVELS, "info"),
    stallMs: read.count("STALL_MS", { fallback: 5_000, min: 2_000, max: 600_000 }),
    startWaitMs: read.count("START_WAIT_MS", { fallback: 10_000, min: 0, max: 600_000 }),
    keepAliveMs: read.count("KEEP_ALIVE_MS", { fallback: 75_000, min: 1_000, max: 3_600_000 }),
    basePath: read.path("BASE_PATH"),
    drainDelayMs: read.count("DRAIN_DELAY_MS", { fallback: 0, min: 0, max: 600_000 }),
    drainMs: read.count("DRAIN_MS", { fallback: 20_000, min: 0, max: 600_000 }),
    agentDrainMs: read.count("AGENT_DRAIN_MS", { fallback: 600_000, min: 0, max: 86_400_000 }),
    slowClientMs: read.count("SLOW_CLIENT_MS", { fallback: 10_000, min: 100, max: 600_000 }),
    modelIdleMs: read.count("MODEL_IDLE_MS", { fallback: 60_000, min: 100, max: MAX_PATIENCE_MS }),
    modelWordlessMs: read.count("MODEL_WORDLESS_MS", { fallback: 300_000, min: 100, max: MAX_PATIENCE_MS }),
    simContextTokens: read.count("SIM_CONTEXT_TOKENS", { fallback: 200_000, max: 100_000_000 }),
  };
}

/**
 * The settings that the primary sent to this child. The primary's version may be older than ours, because SIGHUP starts
 * children of the files that lie there now: a setting that it does not know has its default.
 */
export function completeSettings(sent: Partial<Settings>): Settings {
  const defaults: Settings = { ...readAll(sent.mode ?? "production", new SettingsReader({})), toolEnv: {} };
  const { retention, model } = defaults;
  return {
    ...defaults,
    ...sent,
    retention: { ...retention, ...sent.retention },
    model: { ...model, ...sent.model },
  };
}

function readDatabase(read: SettingsReader): DatabaseSettings | null {
  const url = read.database("DATABASE_URL");
  const listenUrl = read.database("DATABASE_LISTEN_URL");
  const redisUrl = read.redis("REDIS_URL", url !== "");
  read.refuseWithout("DATABASE_URL", ["DATABASE_LISTEN_URL", "DATABASE_POOL", "DATABASE_PREPARE"]);
  if (url === "") return null;
  const pool = read.count("DATABASE_POOL", { fallback: 4, min: 2, max: 1_000 });
  const prepare = read.flag("DATABASE_PREPARE", true);
  return { url, listenUrl: listenUrl || url, pool, prepare, ...(redisUrl !== "" && { redisUrl }) };
}

/**
 * One server holds the lock of its DATA_DIR, so that it needs no other name there. On a database that many share each has a
 * name of its own, a new one at each start: two containers may have one hostname, and none must take the other's runs.
 */
function machineName(): string {
  return `${hostname().replaceAll("/", "-")}-${newId("machine").slice(-4)}`;
}

/** A socket on `::` serves IPv4 too. Where the system has no IPv6 it cannot be opened. */
function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === "IPv6"));
}

/**
 * A URL without a key means an endpoint that needs none, but the SDK always sends a key. The SDK appends `/v1/…`
 * itself, so a base URL that ends in `/v1` means the same as one without.
 */
function readModel(read: SettingsReader): ModelSettings {
  const apiKey = read.secret("ANTHROPIC_API_KEY");
  const { url, authorization } = read.url("ANTHROPIC_BASE_URL");
  const baseUrl = url.replace(/\/v1$/, "") || null;
  const proxy = read.proxy();
  return { simulated: !apiKey && !baseUrl, apiKey: apiKey || "not-needed", baseUrl, authorization, proxy };
}

/** A worker checks API keys and never asks the model. */
export function settingsForWorker(settings: Settings): Settings {
  const { simulated, baseUrl } = settings.model;
  return { ...settings, model: { simulated, baseUrl, apiKey: "", authorization: null, proxy: {} } };
}

/** An agent asks the model and never sees who may ask us. */
export function settingsForAgent(settings: Settings): Settings {
  return { ...settings, apiKeys: [] };
}

/** All settings, secrets too. */
export function settingNames(): ReadonlySet<string> {
  const read = new SettingsReader({});
  readAll("production", read);
  return read.names;
}

/** Whether a variable is a setting, and no secret. */
export function isPlainSetting(name: string): boolean {
  const read = new SettingsReader({});
  readAll("production", read);
  return read.names.has(name) && !read.secretNames.has(name);
}

/** The operator's variables for tools: all variables except our settings and those that every process inherits. */
function toolEnvOf(env: Env, names: ReadonlySet<string>): Record<string, string> {
  const theirs = Object.entries(env).filter(([name]) => !names.has(name) && !isPassedOn(name));
  return Object.fromEntries(theirs) as Record<string, string>;
}
