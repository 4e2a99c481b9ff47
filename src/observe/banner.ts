/** The first lines that a person sees: the address, the processes, the model, and the place of the data. */
import type { DatabaseSettings } from "../engine/driver.ts";
import { needsInit } from "../process/init.ts";
import type { ProcessBounds } from "../settings-reader.ts";
import type { Access } from "../core/access.ts";
import type { Settings } from "../settings.ts";
import { VERSION } from "../version.ts";

interface Facts {
  readonly settings: Settings;
  readonly access: Access;
  readonly bootMs: number;
}

export function banner({ settings, access, bootMs }: Facts): string {
  const {
    host,
    port,
    basePath,
    mode,
    reload,
    workers,
    agents,
    workerBounds,
    agentBounds,
    model,
    apiKeys,
    dataDir,
    database,
  } = settings;
  const shownHost = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  const rows = [
    ["url", `http://${shownHost}:${port}${basePath}`],
    ["mode", `${mode}${reload ? ", reloads on change (one worker)" : ""}`],
    [
      "processes",
      `${plural(workers, "worker")}${range(workerBounds)}, ${plural(agents, "agent")}${range(agentBounds)}`,
    ],
    ["model", describeModel(model)],
    ["access", describeAccess(apiKeys.length + access.keys.length, access.identityProviders.length)],
    ["data", database ? placeOf(database) : dataDir],
    ["pid", `${process.pid}${needsInit() ? " (start the container with --init, see the log)" : ""}`],
  ];
  const lines = rows.map(([name = "", value = ""]) => `  ${name.padEnd(10)} ${value}`);
  return `\nevenkeel ${VERSION}, ready in ${bootMs} ms\n\n${lines.join("\n")}\n`;
}

/** Printed before anything slow happens, because a start takes a second or two. */
export function startLine({ workers, agents }: Settings): string {
  return `evenkeel ${VERSION} is starting ${plural(workers, "worker")} and ${plural(agents, "agent")} …`;
}

function describeAccess(keys: number, providers: number): string {
  if (keys + providers === 0) return "this machine only (set API_KEYS to open it)";
  const users = providers > 0 ? `, users of ${plural(providers, "identity provider")}` : "";
  return `${plural(keys, "API key")}${users}`;
}

function describeModel({ simulated, baseUrl }: Settings["model"]): string {
  if (simulated) return "simulated (set ANTHROPIC_API_KEY for the real one)";
  return `real, at ${baseUrl ?? "https://api.anthropic.com"}`;
}

/** The places of the database and of Redis, without users and passwords. */
function placeOf({ url, redisUrl }: DatabaseSettings): string {
  const { host, pathname } = new URL(url);
  const news = redisUrl === undefined ? "" : `, news through Redis at ${new URL(redisUrl).host}`;
  return `Postgres at ${host}${pathname}${news}`;
}

/** Empty when the number does not follow the load. */
function range({ min, max, isAuto }: ProcessBounds): string {
  if (isAuto) return " (auto)";
  return min === max ? "" : ` (${min} to ${max})`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
