/** The MCP servers, as each agent process runs them. Only config/mcp.ts defines them; HTTP cannot. */
import { z } from "zod";
import { json, route } from "./route.ts";

export const MCP_STATES = ["idle", "starting", "ready", "failed", "stopped"] as const;

/** One server as one agent process sees it. */
export const MCP_REPORT = z.object({
  server: z.string(),
  kind: z.enum(["stdio", "http"]),
  state: z
    .enum(MCP_STATES)
    .describe("`idle`: no run has needed the server yet. `failed`: the server will be started again."),
  pid: z.int().nullable().describe("The process of its program. Null when it does not run or is reached over HTTP."),
  tools: z.array(z.string()).readonly().describe("The first tools of the server, under the server's own names."),
  tool_count: z.int(),
  calls: z.int(),
  failed_calls: z.int().describe("The number of calls that got no answer."),
  in_flight: z.int(),
  latency_ms: z
    .object({ p50: z.number(), p99: z.number() })
    .nullable()
    .describe("Measured over the last 100 calls. Null before the first call."),
  starts: z.int().describe("How often the server was started."),
  reason: z
    .string()
    .nullable()
    .describe("Why the server does not run, or why it last ended. Null when it has never ended."),
  next_try_ms: z.int().nullable().describe("The time until the next start. Null when none is planned."),
  stderr: z.string().describe("The end of the server's stderr, without the secrets that it was given."),
});

export type McpReport = Readonly<z.output<typeof MCP_REPORT>>;

const MCP_SERVER = MCP_REPORT.extend({
  agent_process: z.int().describe("The agent process that runs the server: its id in `GET /api/workers`."),
}).meta({ id: "McpServer" });

export const LIST_MCP_SERVERS = route({
  method: "GET",
  path: "/api/mcp",
  access: "operator",
  summary: "List the MCP servers of every agent process",
  query: z.strictObject({}),
  answers: {
    200: json(
      z.object({ servers: z.array(MCP_SERVER) }).meta({ id: "McpServerList" }),
      "The servers as they were up to a second ago.",
    ),
  },
});

export const RESTART_MCP_SERVER = route({
  method: "POST",
  path: "/api/mcp/{server}/restart",
  access: "admin",
  summary: "Restart an MCP server in every agent process",
  description:
    "Calls that are under way fail, and their runs continue with the error. `GET /api/mcp` shows the result.",
  query: z.strictObject({}),
  answers: { 202: json(z.object({ server: z.string() }).meta({ id: "McpRestart" }), "The server is being restarted.") },
  errors: ["NOT_FOUND"],
});
