/**
 * The simulated model as a server: starts to listen, hands out its address and counters, stops at once.
 * Called by main.ts in a process of its own and by tests in theirs. Holds no global state: two may run side by side.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { http } from "../core/node-http.ts";
import { Attempts } from "./attempts.ts";
import { createIds } from "./ids.ts";
import { Ledger, type SimulatorStats } from "./ledger.ts";
import type { House } from "./messages.ts";
import { Pacer } from "./pacer.ts";
import type { Pace } from "./playback.ts";
import { PromptCache } from "./prompt-cache.ts";
import { DEFAULT_CONTEXT_TOKENS } from "./request.ts";
import { RequestLimit, type RequestLimitOptions } from "./request-limit.ts";
import { route } from "./routes.ts";

export interface SimulatorOptions {
  readonly host?: string;
  /** The port; with 0 the system chooses one. */
  readonly port?: number;
  /** The pace without `ttft=` and `rate=`: that of a person who reads along. */
  readonly pace?: Pace;
  /** The window of every model here: a longer prompt is refused. */
  readonly contextTokens?: number;
  /** Without it, any number of requests is answered. */
  readonly limit?: RequestLimitOptions;
}

export interface Simulator {
  /** The base URL for clients, without a slash at its end. */
  readonly url: string;
  readonly port: number;
  stats(): SimulatorStats;
  /** Closes every connection at once; open streams end as aborted. Idempotent. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const DEFAULT_PACE: Pace = { ttftMs: 200, tokensPerSecond: 50 };

/** Longer than clients keep idle sockets, so that no client sends a request at the moment of a close. */
const KEEP_ALIVE_MS = 75_000;

/** A bench opens thousands of sockets at once; the system may cap this number lower. */
const LISTEN_BACKLOG = 4_096;

/** Rejects with the system's error when it cannot listen, e.g. EADDRINUSE. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = "127.0.0.1", port = 0, pace = DEFAULT_PACE, contextTokens = DEFAULT_CONTEXT_TOKENS } = options;
  const house: House = {
    ledger: new Ledger(),
    attempts: new Attempts(),
    cache: new PromptCache(),
    pacer: new Pacer(),
    pace,
    contextTokens,
    limit: options.limit && new RequestLimit(options.limit),
    newId: createIds(),
  };
  const server = http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    void route(request, response, house);
  });
  server.listen({ host, port, backlog: LISTEN_BACKLOG });
  await once(server, "listening");
  const { port: actualPort } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    house.pacer.stop();
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${actualPort}`,
    port: actualPort,
    stats: () => house.ledger.stats(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
