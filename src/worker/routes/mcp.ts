/** MCP servers: what they are doing in each agent process, and a restart. No route can define a server. */
import { LIST_MCP_SERVERS, RESTART_MCP_SERVER } from "../../api/mcp.ts";
import { AppError } from "../../core/errors.ts";
import type { AppRouter, RouteDeps } from "../context.ts";
import { answer, serve } from "../serve.ts";

export function mcpRoutes(router: AppRouter, { mcpServers, mcpBoard }: RouteDeps): void {
  serve(router, LIST_MCP_SERVERS, () => answer(200, { servers: mcpBoard.list() }));

  serve(router, RESTART_MCP_SERVER, ({ params }) => {
    const { server } = params;
    if (!mcpServers.has(server)) {
      const names = [...mcpServers.keys()].join(", ") || "none";
      throw new AppError("NOT_FOUND", `There is no MCP server ${server}. config/mcp.ts has: ${names}.`);
    }
    mcpBoard.restart(server);
    return answer(202, { server });
  });
}
