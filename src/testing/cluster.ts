/**
 * A whole cluster in one process, without a primary: real SQLite, a real simulated model, a real HTTP server
 * and a real runner with the real SDK, all over loopback. Nothing is mocked; only the processes are missing.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAgent } from "../agent/agent.ts";
import { ModelMeter } from "../agent/model-meter.ts";
import type { Tools } from "../agent/tools/invoke.ts";
import { Hosts } from "../agent/tools/hosts/hosts.ts";
import { describeFiles, type DescribedTool } from "../agent/tools/describe.ts";
import { makeTools } from "../agent/tools/registry.ts";
import type { Runner } from "../agent/runner.ts";
import { loadAgents } from "../config.ts";
import { DEFAULT_ACCESS, type Access } from "../core/access.ts";
import type { Agent } from "../core/agent.ts";
import type { McpServers } from "../core/mcp-servers.ts";
import type { Engine } from "../engine/engine.ts";
import { openEngine } from "../engine/open.ts";
import { createLog, type Log } from "../observe/log.ts";
import { parseSettings, type Settings } from "../settings.ts";
import { startSimulator, type Simulator, type SimulatorOptions } from "../simulator/server.ts";
import { Delivery } from "../stream/delivery.ts";
import { BodyMemory, KEPT_LIMIT_BYTES } from "../worker/body-memory.ts";
import { Guard } from "../worker/guard.ts";
import { createListener } from "../worker/listener.ts";
import { HttpServer } from "../worker/server.ts";
import { McpBoard } from "../worker/mcp-board.ts";
import { createUpgrade } from "../worker/socket/upgrade.ts";
import { Client } from "./client.ts";

export interface ClusterOptions {
  /** Settings that override those of an empty environment. */
  readonly settings?: Partial<Settings>;
  readonly agents?: ReadonlyMap<string, Agent>;
  readonly access?: Access;
  readonly tools?: Tools;
  readonly mcpServers?: McpServers;
  /** False: no runner claims, so runs stay queued until `startRunner`. */
  readonly runner?: boolean;
  /** Where the agent looks for the model; by default the simulator of this cluster. */
  readonly modelUrl?: string;
  /** The window of the simulated model; 200,000 tokens by default. */
  readonly contextTokens?: number;
  /** Request limit of the simulated model; without it any number is allowed. */
  readonly limit?: SimulatorOptions["limit"];
  /** Lets a test stand between the worker and its engine. */
  readonly wrapEngine?: (engine: Engine) => Engine;
}

export interface Cluster extends AsyncDisposable {
  readonly client: Client;
  readonly port: number;
  /** Delivery of the worker. */
  readonly engine: Engine;
  readonly delivery: Delivery;
  readonly keptMemory: BodyMemory;
  readonly simulator: Simulator;
  /** The state of the model calls of its runners. */
  readonly meter: ModelMeter;
  readonly server: HttpServer;
  /** Begins to claim. Ends with the cluster. */
  startRunner(): Promise<Runner>;
  /** Ends waiting requests, as a worker does at the end of its drain. */
  letGo(): void;
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  await using starting = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), "evenkeel-cluster-"));
  starting.defer(() => rm(dataDir, { recursive: true }));
  const settings = { ...parseSettings("production", { LOG_LEVEL: "silent" }), ...options.settings, dataDir };
  const log = await createLog(settings, "test");
  const { contextTokens, limit } = options;
  const pace = { ttftMs: 0, tokensPerSecond: 0 };
  const simulator = starting.use(
    await startSimulator({ pace, ...(contextTokens && { contextTokens }), ...(limit && { limit }) }),
  );
  const agents = options.agents ?? (await loadAgents(settings.configDir));

  const access = options.access ?? DEFAULT_ACCESS;
  const mcpServers: McpServers = options.mcpServers ?? new Map();
  const worker = await startWorker({
    settings,
    agents,
    access,
    mcpServers,
    log,
    wrapEngine: options.wrapEngine ?? ((engine) => engine),
  });
  starting.use(worker);
  const runners = starting.use(new AsyncDisposableStack());
  const meter = new ModelMeter();
  const startRunner = async () => {
    const hosts = new Hosts(log);
    runners.defer(() => hosts.stop());
    const tools = options.tools ?? (await makeTools(await describedIn(settings.configDir), hosts, {}));
    const baseUrl = options.modelUrl ?? simulator.url;
    const own = { ...settings, model: { ...settings.model, apiKey: "simulated", baseUrl } };
    const { runner, drain } = await openAgent({
      settings: own,
      id: 1,
      pid: 1,
      agents,
      access,
      tools,
      mcpServers,
      log,
      meter,
    });
    runners.defer(() => drain(0));
    await runner.start();
    return runner;
  };
  if (options.runner ?? true) await startRunner();

  const owned = starting.move();
  return { ...worker, simulator, meter, startRunner, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

interface Shared {
  readonly settings: Settings;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly mcpServers: McpServers;
  readonly log: Log;
}

interface WorkerParts extends Shared {
  readonly access: Access;
  readonly wrapEngine: (engine: Engine) => Engine;
}

async function startWorker({ wrapEngine, ...shared }: WorkerParts) {
  const engine = wrapEngine(await openOn(shared.settings));
  const delivery = new Delivery(engine, shared.settings);
  const closing = new AbortController();
  // Without a primary no note comes, and no request arrives.
  const mcpBoard = new McpBoard(() => {});
  const guard = new Guard(shared.settings.apiKeys, shared.access);
  const keptMemory = new BodyMemory(KEPT_LIMIT_BYTES);
  const deps = {
    ...shared,
    guard,
    mcpBoard,
    ask: () => {},
    engine,
    delivery,
    bodyMemory: new BodyMemory(),
    keptMemory,
    closing: closing.signal,
  };
  const server = new HttpServer(createListener(deps), createUpgrade(deps));
  const port = await server.listen("127.0.0.1", 0);
  const [key] = shared.settings.apiKeys;
  const client = new Client(`http://127.0.0.1:${port}`, key ? { Authorization: `Bearer ${key.secret}` } : {});
  const letGo = () => {
    closing.abort();
    delivery.stop();
  };
  const dispose = async () => {
    letGo();
    await server.drain(0);
    await engine.close();
  };
  return { engine, delivery, keptMemory, server, port, client, letGo, [Symbol.asyncDispose]: dispose };
}

function openOn(settings: Settings): Promise<Engine> {
  return openEngine({ ...settings, limits: { queued: settings.maxQueued } });
}

const describedFolders = new Map<string, Promise<readonly DescribedTool[]>>();

/** The tools of a config folder, read once for all clusters of a test file: reading takes a thread 0.2 s of a core. */
function describedIn(configDir: string): Promise<readonly DescribedTool[]> {
  const described = describedFolders.get(configDir) ?? describeFiles(join(configDir, "tools"), {});
  describedFolders.set(configDir, described);
  return described;
}
