import { pino } from "pino";
import { expect, test } from "vitest";
import { defineMcpServers } from "../../core/mcp-servers.ts";
import { ManagedServer } from "./server.ts";
import { toolsFrom } from "./tools.ts";

test("no call of a server's tool is taken for the cause of a crash here", () => {
  const [server] = defineMcpServers({ local: { command: "never-started" } }).values();
  if (!server) throw new Error("no server");
  const managed = new ManagedServer({ server, env: {}, log: pino({ enabled: false }) });

  const tools = toolsFrom(managed, [{ name: "pay", inputSchema: { type: "object" } }]);

  expect(tools.get("local__pay")).toMatchObject({ effects: "unsafe", contained: true });
});
