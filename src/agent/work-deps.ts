/**
 * What the work on a run needs: the things that all runs of a process share, and the handles that the runner keeps for
 * one run.
 */
import type { Access } from "../core/access.ts";
import type Anthropic from "@anthropic-ai/sdk";
import type { Agent } from "../core/agent.ts";
import type { Engine } from "../engine/engine.ts";
import type { Log } from "../observe/log.ts";
import type { Caching } from "./caching.ts";
import type { Governors } from "./governor/governors.ts";
import type { ManagedServers } from "./mcp/servers.ts";
import type { ModelMeter } from "./model-meter.ts";
import type { Patience } from "./model.ts";
import type { Parking } from "./parking.ts";
import type { Tools } from "./tools/invoke.ts";
import type { Trials } from "./tools/trials.ts";

export interface WorkDeps {
  readonly engine: Engine;
  readonly agents: ReadonlyMap<string, Agent>;
  readonly access: Pick<Access, "budget">;
  readonly tools: Tools;
  readonly client: Anthropic;
  readonly meter: ModelMeter;
  readonly governors: Governors;
  readonly mcp: ManagedServers;
  readonly log: Log;
  readonly patience: Patience;
}

/** The handles that the runner keeps for a run that is worked on. */
export interface RunHandles {
  readonly abort: AbortController;
  readonly parking: Parking;
  /** Shared by all runs of the process. */
  readonly trials: Trials;
  /** Shared by all runs of the process. */
  readonly caching: Caching;
}
