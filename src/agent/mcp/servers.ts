/** All MCP servers of this agent process. Made in `main.ts`; a run asks it for the tools of the servers its agent names. */
import type { McpServerReport, McpServers } from "../../core/mcp-servers.ts";
import type { Log } from "../../observe/log.ts";
import type { Tool } from "../tools/invoke.ts";
import { ManagedServer } from "./server.ts";
import { toolsFrom } from "./tools.ts";

export interface McpOffer {
  readonly tools: ReadonlyMap<string, Tool>;
  /** One sentence for each server that offers nothing now, for the model to read. */
  readonly missing: readonly string[];
}

export interface ManagedServersOptions {
  readonly servers: McpServers;
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
}

export class ManagedServers {
  // As many as config/mcp.ts describes.
  readonly #byName: ReadonlyMap<string, ManagedServer>;

  constructor({ servers, env, log }: ManagedServersOptions) {
    this.#byName = new Map([...servers].map(([name, server]) => [name, new ManagedServer({ server, env, log })]));
  }

  /** Starts those of `names` that do not run yet, side by side. Rejects only when `signal` is aborted. */
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

  report(): McpServerReport[] {
    return [...this.#byName.values()].map((server) => server.report());
  }

  /** No process of theirs is left when this resolves. */
  async stop(): Promise<void> {
    await Promise.all([...this.#byName.values()].map((server) => server.stop()));
  }
}
