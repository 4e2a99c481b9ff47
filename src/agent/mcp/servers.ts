/**
 * All MCP servers of this agent process. Made in `main.ts`; a run asks here for the tools of the servers that its agent
 * names.
 */
import type { McpReport } from "../../api/mcp.ts";
import type { McpServers } from "../../core/mcp-servers.ts";
import type { Log } from "../../observe/log.ts";
import type { Tool } from "../tools/invoke.ts";
import { ManagedServer } from "./server.ts";
import { toolsFrom } from "./tools.ts";

// For all servers together, so that their note stays below the size that a process may report (`MAX_NOTES_CHARACTERS`).
const STDERR_CHARACTERS = 6_000;
const SHOWN_TOOLS = 100;
const NAME_CHARACTERS = 60;
const REASON_CHARACTERS = 200;
const NOTE_CHARACTERS = 23 * 1024;

export interface McpOffer {
  readonly tools: ReadonlyMap<string, Tool>;
  /** One sentence for each server that offers nothing now; the model reads it. */
  readonly missing: readonly string[];
}

export interface ManagedServersOptions {
  readonly servers: McpServers;
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
}

export class ManagedServers {
  // Bounded by the servers that config/mcp.ts describes.
  readonly #byName: ReadonlyMap<string, ManagedServer>;

  constructor({ servers, env, log }: ManagedServersOptions) {
    this.#byName = new Map([...servers].map(([name, server]) => [name, new ManagedServer({ server, env, log })]));
  }

  /** Starts at the same time all servers of `names` that do not run yet. Rejects only when `signal` is aborted. */
  async offer(names: readonly string[], signal: AbortSignal): Promise<McpOffer> {
    const servers = names.flatMap((name) => this.#byName.get(name) ?? []);
    const offers = await Promise.all(servers.map(async (server) => ({ server, offer: await server.offer(signal) })));
    return {
      tools: new Map(
        offers.flatMap(({ server, offer }) => ("tools" in offer ? [...toolsFrom(server, offer.tools)] : [])),
      ),
      missing: offers.flatMap(({ server, offer }) =>
        "missing" in offer ? [`The tools of ${server.name} are not available now: ${offer.missing}.`] : [],
      ),
    };
  }

  /** @returns false when there is no such server */
  async restart(name: string): Promise<boolean> {
    const server = this.#byName.get(name);
    await server?.restart();
    return server !== undefined;
  }

  report(): McpReport[] {
    return [...this.#byName.values()].map((server) => server.report());
  }

  /** `report()` as JSON that fits into a note of this process, however much the servers wrote. */
  note(): string {
    const reports = this.report();
    const full = reports.map((report) => shortened(report, reports.length));
    const json = JSON.stringify(full);
    if (json.length <= NOTE_CHARACTERS) return json;
    return JSON.stringify(full.map((report) => ({ ...report, stderr: "", tools: [] })));
  }

  /** Resolves when no process of the servers is left. */
  async stop(): Promise<void> {
    await Promise.all([...this.#byName.values()].map((server) => server.stop()));
  }
}

/** @param servers how many servers share the room */
function shortened({ stderr, tools, reason, ...rest }: McpReport, servers: number): McpReport {
  return {
    ...rest,
    reason: reason?.slice(0, REASON_CHARACTERS) ?? null,
    tools: tools.slice(0, Math.floor(SHOWN_TOOLS / servers)).map((name) => name.slice(0, NAME_CHARACTERS)),
    stderr: stderr.slice(-Math.floor(STDERR_CHARACTERS / servers)),
  };
}
