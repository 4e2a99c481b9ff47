/** What the routes of a worker need. Made once in `main.ts`, passed by argument. */
import type { Router } from "@koa/router";
import type { Access } from "../core/access.ts";
import type { Agent } from "../core/agent.ts";
import type { McpServers } from "../core/mcp-servers.ts";
import type { Principal } from "../core/principal.ts";
import type { Engine } from "../engine/engine.ts";
import type { Log } from "../observe/log.ts";
import type { ServiceRequest } from "../process/protocol.ts";
import type { Settings } from "../settings.ts";
import type { Delivery } from "../stream/delivery.ts";
import type { Bodies } from "./body.ts";
import type { BodyMemory } from "./body-memory.ts";
import type { Guard } from "./guard.ts";
import type { McpBoard } from "./mcp-board.ts";
import type { OwnEngine } from "./own-engine.ts";

export interface WorkerDeps {
  readonly settings: Settings;
  readonly engine: Engine;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly access: Access;
  readonly guard: Guard;
  readonly mcpServers: McpServers;
  readonly mcpBoard: McpBoard;
  /** Sends a request to other processes, through the primary. */
  readonly ask: (request: ServiceRequest) => void;
  readonly delivery: Delivery;
  readonly bodyMemory: BodyMemory;
  /** What streams keep of their bodies. */
  readonly keptMemory: BodyMemory;
  readonly log: Log;
  /** Aborted when this worker must stop serving requests that still wait. */
  readonly closing: AbortSignal;
}

/** What a route may use before a request comes: everything except the engine, which depends on the principal. */
export type RouteDeps = Omit<WorkerDeps, "engine">;

/** The dependencies of one request: its engine hides everything that belongs to others. */
export interface OwnDeps extends RouteDeps {
  readonly engine: OwnEngine;
}

/** What Koa's `ctx.state` holds. */
export interface RequestState {
  principal: Principal;
  own: OwnDeps;
  requestId: string;
  /** Reads the bodies of requests. */
  bodies: Bodies;
}

/** The router to which route files add their routes. */
export type AppRouter = Router<RequestState>;
