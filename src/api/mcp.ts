/** The MCP servers, as each agent process runs them. Only config/mcp.ts defines them; HTTP cannot. */
import { z } from "zod";
import { json, route } from "./route.ts";

export const MCP_STATES = ["idle", "starting", "ready", "failed", "stopped"] as const;

/** One server as one agent process sees it. */
export const MCP_REPORT = z.object({
  server: z.string(),
  kind: z.enum(["stdio", "http"]),
  state: z.enum(MCP_STATES).describe("`idle`: no run has needed it yet. `failed`: it is tried again."),
  pid: z.int().nullable().describe("Of its program; null when none runs, or when it is reached over HTTP."),
  tools: z.array(z.string()).readonly().describe("The first of its tools, by its own names."),
  tool_count: z.int(),
  calls: z.int(),
  failed_calls: z.int().describe("Of the calls, how many came to no answer."),
  in_flight: z.int(),
  latency_ms: z
    .object({ p50: z.number(), p99: z.number() })
    .nullable()
    .describe("Over the last 100 calls; null before the first."),
  starts: z.int().describe("How often it was started."),
  reason: z.string().nullable().describe("Why it does not run, or ended last; null when it never did."),
  next_try_ms: z.int().nullable().describe("Until it is tried again; null when that is not due."),
  stderr: z.string().describe("The end of what it wrote there, without the secrets that it was given."),
});

export type McpReport = Readonly<z.output<typeof MCP_REPORT>>;

const MCP_SERVER = MCP_REPORT.extend({
  agent_process: z.int().describe("The agent process that runs it: the id of `GET /api/workers`."),
}).meta({ id: "McpServer" });

export const LIST_MCP_SERVERS = route({
  method: "GET",
  path: "/api/mcp",
  access: "operator",
  summary: "The MCP servers of every agent process",
  query: z.strictObject({}),
  answers: {
    200: json(z.object({ servers: z.array(MCP_SERVER) }).meta({ id: "McpServerList" }), "As they were a moment ago."),
  },
});

export const RESTART_MCP_SERVER = route({
  method: "POST",
  path: "/api/mcp/{server}/restart",
  access: "admin",
  summary: "End an MCP server and start it again, in every agent process",
  description: "Calls that are under way fail, and their runs go on with the error. The list shows what came of it.",
  query: z.strictObject({}),
  answers: { 202: json(z.object({ server: z.string() }).meta({ id: "McpRestart" }), "It is being restarted.") },
  errors: ["NOT_FOUND"],
});
