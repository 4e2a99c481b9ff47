/**
 * The front door. The primary supervises and serves no request:
 * settings → data → simulated model → workers and agents → banner → upkeep, signals, reload. With Postgres the upkeep comes
 * before the agents.
 */
import { existsSync } from "node:fs";
import { join, sep } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Access } from "./core/access.ts";
import { withCause } from "./core/errors.ts";
import { agentName, type Owner } from "./core/run.ts";
import type { Engine } from "./engine/engine.ts";
import { DATABASE_FILE, type Lock } from "./engine/driver.ts";
import { openEngine } from "./engine/open.ts";
import { isPassedOn, type Env, type Surroundings } from "./environment.ts";
import { MachineReports } from "./machine-reports.ts";
import { nearMisses } from "./near-miss.ts";
import { banner, startLine } from "./observe/banner.ts";
import { createLog, type Log } from "./observe/log.ts";
import { PageBuilder } from "./page-builder.ts";
import { availableCores } from "./process/cores.ts";
import { forkPlain, forkWorker } from "./process/fork.ts";
import { NEEDS_INIT, needsInit } from "./process/init.ts";
import { EXIT, type ChildKind } from "./process/protocol.ts";
import { isCode, ReloadWatcher } from "./process/reload.ts";
import { autoCount, type Bounds } from "./process/scale.ts";
import { onSignals } from "./process/signals.ts";
import { Supervisor } from "./process/supervisor.ts";
import type { RoleOptions, SupervisorOptions } from "./process/supervisor-options.ts";
import type { ProcessBounds } from "./settings-reader.ts";
import {
  parseSettings,
  settingNames,
  settingsForAgent,
  settingsForWorker,
  type Mode,
  type Settings,
} from "./settings.ts";
import { checkStart, exitCodeOf } from "./start-checks.ts";
import { entryPath, IS_SOURCE } from "./tree.ts";
import { Upkeep } from "./upkeep/upkeep.ts";
import { VERSION } from "./version.ts";

/**
 * The kinds that a reload or a rolling restart replaces. Agents first, because a new worker may accept runs that only
 * new agents can do.
 */
const ROLLING: readonly ChildKind[] = ["agent", "worker"];

/** @param project the folder that has `config/`, unless CONFIG_DIR says otherwise */
export async function runPrimary(mode: Mode, surroundings: Surroundings, project: string): Promise<void> {
  process.title = "evenkeel primary";
  // When the terminal closes, only the output is lost; the server goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  try {
    const settings = parseSettings(mode, surroundings.env, project);
    process.stdout.write(`${startLine(settings)}\n`);
    const { lock, access } = await checkStart(settings);
    const log = await createLog(settings, "primary");
    for (const warning of warnings(settings, surroundings.env)) log.warn(warning);
    await serve({ settings, surroundings, log, lock, access });
  } catch (error) {
    refuse(error);
  }
}

/** Warns of problems that make nothing fail at once: misspelt settings, a missing init, an unused data file. */
function warnings({ database, dataDir }: Settings, env: Env): string[] {
  const names = settingNames();
  const others = Object.keys(env).filter((name) => !names.has(name) && !isPassedOn(name));
  const file = join(dataDir, DATABASE_FILE);
  return [
    ...nearMisses(others, names),
    ...(needsInit() ? [NEEDS_INIT] : []),
    ...(database && existsSync(file)
      ? [`The data is in Postgres; ${file} is not used. \`npx evenkeel export\` and \`import\` take its threads along.`]
      : []),
  ];
}

interface Start {
  readonly settings: Settings;
  readonly surroundings: Surroundings;
  readonly log: Log;
  readonly lock: Lock;
  readonly access: Access;
}

/** Refers to the lock for as long as the server runs: garbage collection of the lock would release it. */
async function serve({ settings, surroundings, log, lock, access }: Start): Promise<void> {
  const { dataDir, durability, maxQueued, database, machine, boot } = settings;
  const storage = { dataDir, durability, database, machine, boot, limits: { queued: maxQueued } };
  const engine = await openEngine(storage);
  const { identity } = engine;
  const lastActivity = await engine.lastActivity();
  // Earlier lives of this server are over: it holds the storage's lock.
  const released = await engine.release({ machine, exceptBoot: boot }, "gone");
  if (released > 0) log.info({ runs: released }, "unfinished runs are resumed");

  const upkeep = new Upkeep({ storage: { ...storage, identity }, retention: settings.retention, lastActivity }, log);
  const others = () => reports?.others ?? [];
  const supervisor = supervise({ settings, log, engine, upkeep, others });
  const reports = database ? new MachineReports({ engine, report: () => supervisor.report() }) : undefined;

  // Listen before the first fork, so that a signal or a saved file also counts while the processes boot.
  const restart = () => void serving.then(() => rollOut(supervisor, log));
  const watchers: { stop(): void }[] = settings.reload ? watchCode(settings, log, restart) : [];
  onSignals({
    isTerminal: surroundings.isTerminal,
    restart,
    more: () => void serving.then(() => supervisor.adjust("worker", 1)),
    less: () => void serving.then(() => supervisor.adjust("worker", -1)),
    quit: () => {
      log.warn("not waiting any longer");
      supervisor.kill();
      process.exit(EXIT.interrupted);
    },
    drain: (signal) => {
      for (const watcher of watchers) watcher.stop();
      const unreported = reports?.stop();
      void drainTree({ signal, settings, log, supervisor }).then(async () => {
        await upkeep.stop();
        await unreported;
        await engine.close();
        lock.release();
        log.info("drained");
        process.exit(EXIT.drained);
      });
    },
  });

  // Other machines take a silent one for dead, so this one is heard of before its agents claim runs. A file has no other
  // machines: its upkeep waits, because opening the storage once more takes CPU time that the processes need to start.
  const heardOf = database ? upkeep.start() : Promise.resolve();
  const serving = startAll(supervisor, { ...settings, identity }, heardOf);
  const port = await serving;
  if (!database) void upkeep.start();
  reports?.start();
  const bootMs = Date.now() - surroundings.startedAt;
  process.stdout.write(`${banner({ settings: { ...settings, port }, access, bootMs })}\n`);
  if (settings.reload && IS_SOURCE) watchers.push(new PageBuilder(log));
}

interface Tree {
  readonly settings: Settings;
  readonly log: Log;
  readonly engine: Engine;
  readonly upkeep: Upkeep;
  readonly others: SupervisorOptions["others"];
}

/** Logs what happens to the processes, and hands back the runs of a dead agent. */
function supervise({ settings, log, engine, upkeep, others }: Tree): Supervisor {
  const { machine, boot } = settings;
  const supervisor = new Supervisor({
    machine: { machine, version: VERSION },
    others,
    stallMs: settings.stallMs,
    drainMs: settings.drainMs,
    leaveMs: (kind) => (kind === "agent" ? settings.agentDrainMs : settings.drainMs),
    shrinkMs: settings.agentDrainMs,
    gauges: () => upkeep.gauges,
    onDeath: ({ kind, id, pid, exit, verdict }) => {
      log.error({ kind, id, pid, ...exit }, `${kind} ${id} ${verdict}`);
      if (kind === "agent") handBack(engine, log, { machine, boot, process: agentName(id, pid) });
    },
    onSlow: ({ kind, id, pid, waitedMs }) =>
      log.warn({ kind, id, pid }, `${kind} ${id} is not ready after ${waitedMs} ms`),
    onResize: ({ kind, from, count, reason }) =>
      log.info({ kind, from, count }, `${from} → ${count} ${kind}s: ${reason}`),
    onHeavy: ({ kind, id, rssBytes }) =>
      log.warn({ kind, id, rss_bytes: rssBytes }, `${kind} ${id} takes more memory than it may; it is replaced`),
    onReturn: ({ kind, id, pid }) => log.info({ kind, id, pid }, `${kind} ${id} is up again`),
    onHopeless: (reason) => {
      log.fatal(reason);
      supervisor.kill();
      process.exit(EXIT.config);
    },
  });
  return supervisor;
}

interface Draining extends Pick<Tree, "settings" | "log"> {
  readonly signal: string;
  readonly supervisor: Supervisor;
}

/** Gives a load balancer time to see that `/ready` says 503, and then ends all processes in order. */
async function drainTree({ signal, settings, log, supervisor }: Draining): Promise<void> {
  const { drainDelayMs, drainMs } = settings;
  if (drainDelayMs > 0) {
    log.info(`${signal}: /ready answers 503 from now on; draining in ${drainDelayMs} ms`);
    supervisor.announceDrain();
    await delay(drainDelayMs);
  }
  log.info(`${signal}: draining, ${drainMs} ms at most`);
  // Workers and agents drain together, because workers wait for what agents answer. Agents need the model until then.
  await supervisor.drain([["worker", "agent"], ["simulator"]]);
}

/** Replaces workers and agents, and logs the outcome. */
async function rollOut(supervisor: Supervisor, log: Log): Promise<void> {
  try {
    if (await supervisor.replace(ROLLING)) log.info("restarted: the new processes serve");
  } catch (error) {
    log.error(`the old processes go on: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Workers boot while the simulator does: only agents need to know where the model is.
 * @param mayClaim resolves when agents may begin @returns the port that is served: the system's choice when PORT is 0
 */
async function startAll(supervisor: Supervisor, settings: Settings, mayClaim: Promise<void>): Promise<number> {
  const worker = { entry: entryPath("worker/main"), settings: settingsForWorker(settings) };
  const workers = supervisor.start({
    kind: "worker",
    count: settings.workers,
    size: sizeOf("worker", settings.workerBounds),
    memoryBytes: settings.workerMemoryBytes,
    fork: (id) => forkWorker({ ...worker, args: [String(id)] }),
  });
  const model = settings.model.simulated ? await startSimulator(supervisor, settings) : settings.model;
  await mayClaim;
  const agent = { entry: entryPath("agent/main"), settings: settingsForAgent({ ...settings, model }) };
  const agents = supervisor.start({
    kind: "agent",
    count: settings.agents,
    size: sizeOf("agent", settings.agentBounds),
    memoryBytes: settings.agentMemoryBytes,
    fork: (id) => forkPlain({ ...agent, args: [String(id)] }),
  });
  const [[port = settings.port]] = await Promise.all([workers, agents]);
  return port;
}

function sizeOf(kind: ChildKind, bounds: ProcessBounds): NonNullable<RoleOptions["size"]> {
  return { bounds: bounds.isAuto ? () => autoBounds(kind) : () => bounds, cores: availableCores };
}

function autoBounds(kind: ChildKind): Bounds {
  const count = autoCount(kind, availableCores());
  return { min: count, max: count };
}

async function startSimulator(supervisor: Supervisor, settings: Settings): Promise<Settings["model"]> {
  // The system chooses the first port; a replacement takes the same port, so that agents find it again.
  let port = 0;
  const entry = entryPath("simulator/main");
  const given = ["--host", "127.0.0.1", "--context-tokens", String(settings.simContextTokens)];
  const fork = () => forkPlain({ entry, args: [...given, "--port", String(port)], settings: {} });
  const [first = 0] = await supervisor.start({ kind: "simulator", count: 1, fork });
  port = first;
  return { simulated: true, apiKey: "simulated", baseUrl: `http://127.0.0.1:${port}`, authorization: null, proxy: {} };
}

function watchCode(settings: Settings, log: Log, restart: () => void): ReloadWatcher[] {
  const onChange = (file: string) => {
    log.info(`${file} changed`);
    restart();
  };
  const onProblem = (problem: string) => log.warn(problem);
  return [
    ...(IS_SOURCE
      ? [new ReloadWatcher({ folders: [import.meta.dirname], onChange, wants: isOurCode, onProblem })]
      : []),
    new ReloadWatcher({ folders: [settings.configDir], onChange, onProblem }),
  ];
}

/** No process of ours runs the page's code, so the page is built again and no process is restarted. */
function isOurCode(file: string): boolean {
  return isCode(file) && !file.startsWith(`dashboard${sep}`);
}

function handBack(engine: Engine, log: Log, owner: Owner): void {
  engine.release({ owner }, "crashed").then(
    (runs) => runs > 0 && log.warn({ runs, owner }, "its runs go on elsewhere"),
    (error: unknown) => log.error({ err: error, owner }, "runs cannot be handed back; their leases will run out"),
  );
}

/** Says in plain words, without a stack, why the server does not serve. Processes that were started end with this one. */
function refuse(error: unknown): never {
  const reason = error instanceof Error ? withCause(error) : String(error);
  process.stderr.write(`evenkeel cannot start:\n${reason.replaceAll(/^/gm, "  ")}\n`);
  process.exit(exitCodeOf(error));
}
