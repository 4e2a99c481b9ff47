/**
 * Keeps the tools of one run up to date with what its agent's MCP servers offer: lists change and servers come and go
 * while the run goes on. Made by `work.ts`, called by the loop before each model call.
 */
import type { Tool } from "../tools/invoke.ts";
import type { ManagedServers } from "./servers.ts";

/**
 * Brings the run's tools up to date.
 * @returns sentences about missing tools, for the model. Rejects only when `signal` is aborted
 */
export type RefreshTools = (signal: AbortSignal) => Promise<readonly string[]>;

/** @param tools the tools of the run; those of the servers are added and removed here */
export function liveTools(tools: Map<string, Tool>, names: readonly string[], servers: ManagedServers): RefreshTools {
  if (names.length === 0) return () => Promise.resolve([]);
  let added: readonly string[] = [];
  return async (signal) => {
    const offer = await servers.offer(names, signal);
    for (const name of added) if (!offer.tools.has(name)) tools.delete(name);
    for (const [name, tool] of offer.tools) tools.set(name, tool);
    added = [...offer.tools.keys()];
    return offer.missing;
  };
}
