/**
 * The only reader of the environment. The primary turns it (and `.env`) into one validated `Settings`
 * and hands that to its children as JSON, so that no two processes ever disagree about a default.
 */
import { existsSync } from "node:fs";
import { getCompileCacheDir } from "node:module";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { newId } from "./core/id.ts";

import { ROLES, type Role } from "./core/principal.ts";

export type Mode = "dev" | "production";

export interface Settings {
  readonly mode: Mode;
  readonly environment: "development" | "production";
  readonly reload: boolean;
  readonly host: string;
  readonly port: number;
  readonly workers: number;
  readonly agents: number;
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
  readonly configDir: string;
  readonly durability: "normal" | "full";
  readonly model: ModelSettings;
  readonly logLevel: LogLevel;
  /** A child silent for longer is killed and replaced. */
  readonly stallMs: number;
  /** How long draining may take before what is left is cut off. */
  readonly drainMs: number;
  /** A viewer whose socket takes nothing for longer is closed. */
  readonly slowClientMs: number;
  /** A model stream silent for longer is given up and tried again. */
  readonly modelIdleMs: number;
  /** A model that sends nothing but pings for longer is given up and tried again. */
  readonly modelWordlessMs: number;
  /** The window of the simulated model. */
  readonly simContextTokens: number;
}

export interface ApiKey {
  readonly name: string;
  readonly secret: string;
  /** Admin when left out. */
  readonly role?: Role;
}

export interface ModelSettings {
  readonly simulated: boolean;
  readonly apiKey: string;
  /** Null: the SDK's own default, the Anthropic API. */
  readonly baseUrl: string | null;
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY in capital letters, as far as they are set. */
  readonly proxy: Readonly<Record<string, string>>;
}

/** Variables that say which proxy to use; in small letters too, as curl has them. */
const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] as const;
/** A secret may have colons; its last part is a role only when it is the name of one. */
const API_KEY = new RegExp(`^\\s*([A-Za-z0-9_-]{1,64}):(\\S{8,}?)(?::(${ROLES.join("|")}))?\\s*$`);

const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

type Env = Readonly<Record<string, string | undefined>>;

/** A day: longer than any answer. */
const MAX_PATIENCE_MS = 86_400_000;

const ROOT = resolve(import.meta.dirname, "..");
const CHILD_VARIABLE = "EVENKEEL_SETTINGS";

/** Every problem of the environment at once. The entry prints it and exits 78 (EX_CONFIG). */
export class SettingsError extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.name = "SettingsError";
  }
}

/** @throws SettingsError */
export function loadSettings(mode: Mode): Settings {
  const file = resolve(".env");
  // Variables that are set already win over the file.
  if (existsSync(file)) process.loadEnvFile(file);
  return parseSettings(mode, process.env);
}

/** The settings that the parent handed down. */
export function childSettings(): Settings {
  const json = process.env[CHILD_VARIABLE];
  if (json === undefined) throw new Error("This file is started by the primary; run `node run-production` instead.");
  return JSON.parse(json) as Settings;
}

/**
 * What a tool, or a program that an agent starts, may see of our environment. No secret is among it.
 * @param more names that the operator's config adds
 */
export function programEnv(more: readonly string[] = []): Record<string, string> {
  const names = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "TZ", "TMPDIR", ...more];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** The environment for a child that shall see these settings. */
export function childEnv(settings: Settings): Record<string, string | undefined> {
  const cache = getCompileCacheDir();
  return { ...process.env, [CHILD_VARIABLE]: JSON.stringify(settings), ...(cache && { NODE_COMPILE_CACHE: cache }) };
}

export function parseSettings(mode: Mode, env: Env): Settings {
  const read = new Reader(env);
  const dev = mode === "dev";
  const reload = read.flag("RELOAD", dev);
  const workers = read.count("WORKERS", { fallback: 4, max: 256, auto: availableParallelism() });
  const settings: Settings = {
    mode,
    environment: read.choice("ENVIRONMENT", ["development", "production"], dev ? "development" : "production"),
    reload,
    host: read.text("HOST", "0.0.0.0"),
    port: read.count("PORT", { fallback: 8000, min: 0, max: 65_535 }),
    workers: reload ? 1 : workers,
    agents: read.count("AGENTS", { fallback: 2, max: 256, auto: availableParallelism() }),
    agentConcurrency: read.count("AGENT_CONCURRENCY", { fallback: 100, max: 100_000 }),
    maxQueued: read.count("MAX_QUEUED", { fallback: 10_000, max: 10_000_000 }),
    apiKeys: read.apiKeys("API_KEYS"),
    // One server holds the lock of its DATA_DIR, so that it needs no other name there.
    machine: "local",
    boot: newId("boot"),
    dataDir: resolve(read.text("DATA_DIR", "./data")),
    configDir: resolve(read.text("CONFIG_DIR", join(ROOT, "config"))),
    durability: read.choice("DURABILITY", ["normal", "full"], "normal"),
    model: read.model(),
    logLevel: read.choice("LOG_LEVEL", LOG_LEVELS, "info"),
    stallMs: read.count("STALL_MS", { fallback: 5_000, min: 2_000, max: 600_000 }),
    drainMs: read.count("DRAIN_MS", { fallback: 20_000, min: 0, max: 600_000 }),
    slowClientMs: read.count("SLOW_CLIENT_MS", { fallback: 10_000, min: 100, max: 600_000 }),
    modelIdleMs: read.count("MODEL_IDLE_MS", { fallback: 60_000, min: 100, max: MAX_PATIENCE_MS }),
    modelWordlessMs: read.count("MODEL_WORDLESS_MS", { fallback: 300_000, min: 100, max: MAX_PATIENCE_MS }),
    simContextTokens: read.count("SIM_CONTEXT_TOKENS", { fallback: 200_000, max: 100_000_000 }),
  };
  if (read.problems.length > 0) throw new SettingsError(read.problems);
  return settings;
}

interface CountOptions {
  readonly fallback: number;
  readonly min?: number;
  readonly max: number;
  /** What "auto" stands for, where it is allowed. */
  readonly auto?: number;
}

/** Reads one variable at a time and collects what is wrong, so that all of it is reported at once. */
class Reader {
  readonly problems: string[] = [];
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  text(name: string, fallback: string): string {
    const value = this.#env[name];
    if (value === "") this.#expected(name, "not to be empty");
    return value ?? fallback;
  }

  count(name: string, { fallback, min = 1, max, auto }: CountOptions): number {
    const value = this.#env[name];
    if (value === undefined) return fallback;
    if (value === "auto" && auto !== undefined) return auto;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return number;
    this.#expected(name, `to be a whole number from ${min} to ${max}${auto === undefined ? "" : ' or "auto"'}`);
    return fallback;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#env[name];
    if (value === undefined) return fallback;
    if (/^(true|1|yes|on)$/i.test(value)) return true;
    if (/^(false|0|no|off)$/i.test(value)) return false;
    this.#expected(name, 'to be "true" or "false"');
    return fallback;
  }

  choice<const T extends string>(name: string, choices: readonly T[], fallback: NoInfer<T>): T {
    const value = this.#env[name];
    if (value === undefined) return fallback;
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) this.#expected(name, `to be one of ${choices.map((choice) => `"${choice}"`).join(", ")}`);
    return chosen ?? fallback;
  }

  /** `name:secret,name:secret`; unset or empty means none. */
  apiKeys(name: string): ApiKey[] {
    const value = this.#env[name]?.trim();
    if (!value) return [];
    const keys = value.split(",").map((entry) => API_KEY.exec(entry));
    // The value is a secret: the message must not repeat it.
    if (keys.includes(null)) {
      this.problems.push(
        `Expected \`${name}\` to be "name:secret[:role],…", the role one of ${ROLES.join(", ")}, each secret at least 8 characters without spaces or commas.`,
      );
    }
    return keys
      .filter((key) => key !== null)
      .map(([, keyName = "", secret = "", role]) => ({
        name: keyName,
        secret,
        ...(role !== undefined && { role: role as Role }),
      }));
  }

  model(): ModelSettings {
    const apiKey = this.#env["ANTHROPIC_API_KEY"]?.trim() ?? "";
    const baseUrl = this.#env["ANTHROPIC_BASE_URL"]?.trim() ?? "";
    if (baseUrl && !/^https?:\/\/\S+$/.test(baseUrl)) this.#expected("ANTHROPIC_BASE_URL", "to be an http(s) URL");
    // A URL without a key is somebody's own endpoint that needs none; the SDK insists on sending one.
    const proxy = this.#proxy();
    return { simulated: !apiKey && !baseUrl, apiKey: apiKey || "not-needed", baseUrl: baseUrl || null, proxy };
  }

  #proxy(): Record<string, string> {
    const proxy: Record<string, string> = {};
    for (const name of PROXY_VARIABLES) {
      const value = (this.#env[name.toLowerCase()] ?? this.#env[name])?.trim();
      if (!value) continue;
      proxy[name] = value;
      // It may hold a password: the message must not repeat it.
      if (name !== "NO_PROXY" && !/^https?:\/\/[^/]/.test(value))
        this.problems.push(`Expected \`${name}\` to be an http(s) URL such as "http://proxy.example.org:3128".`);
    }
    return proxy;
  }

  #expected(name: string, what: string): void {
    this.problems.push(`Expected \`${name}\` ${what}, got ${JSON.stringify(this.#env[name] ?? "")}.`);
  }
}
