/** Everything that files of `config/` import from "evenkeel". */
export { defineAccess, type AccessConfig } from "./core/access.ts";
export { defineAgents, type AgentConfig, type SystemPrompt } from "./core/agent.ts";
export { defineMcpServers, type McpServerConfig } from "./core/mcp-servers.ts";
export { defineTool, type ToolContext, type ToolDefinition, type ToolParts } from "./agent/tools/tool.ts";
/** The zod that checks the input of tools. */
export { z } from "zod";
