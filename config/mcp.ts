/**
 * MCP servers whose tools your agents may use: name them in an agent as `mcp: ["files"]`, and it gets `files__read_file`
 * and the others. Nothing is started before a run of such an agent begins. `src/core/mcp-servers.ts` lists what else can be set.
 */
import { defineMcpServers } from "evenkeel";

export const mcpServers = defineMcpServers({
  // files: { command: "npx", args: ["-y", "@modelcontextprotocol/server-filesystem", "./workspace"] },
  // search: { url: "https://mcp.example.com/mcp", headers: { Authorization: "Bearer …" } },
});
