import { connect, type Socket } from "node:net";
import { pino } from "pino";
import { expect, test } from "vitest";
import { DEFAULT_ACCESS } from "../core/access.ts";
import { parseSettings } from "../settings.ts";
import { startCluster } from "../testing/cluster.ts";
import type { WorkerDeps } from "./context.ts";
import { BodyMemory, KEPT_LIMIT_BYTES } from "./body-memory.ts";
import { Guard } from "./guard.ts";
import { createListener } from "./listener.ts";
import { McpBoard } from "./mcp-board.ts";
import { logLateErrors } from "./middleware/errors.ts";
import { HttpServer } from "./server.ts";

const HALF =
  "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n";

const HANG_UPS: [string, (socket: Socket) => void][] = [
  ["ends", (socket) => socket.end()],
  ["resets", (socket) => socket.resetAndDestroy()],
  ["spoils", (socket) => socket.write("no chunk")],
];
test.each(HANG_UPS)("a client that %s its connection in mid-body is no warning", async (_, hangUp) => {
  await using cluster = await startCluster({ runner: false });
  const logged = Promise.withResolvers<string>();
  // The first line that no route wrote: routes report, also at debug, that the body is incomplete.
  const write = (line: string) => /broke off|failed/.test(line) && logged.resolve(line);
  const { engine, delivery } = cluster;
  const settings = parseSettings("production", {});
  const closing = new AbortController().signal;
  const log = pino({ level: "debug" }, { write });
  const deps: WorkerDeps = {
    settings,
    engine,
    delivery,
    agents: new Map(),
    access: DEFAULT_ACCESS,
    guard: new Guard([]),
    mcpServers: new Map(),
    mcpBoard: new McpBoard(() => {}),
    ask: () => {},
    bodyMemory: new BodyMemory(),
    keptMemory: new BodyMemory(KEPT_LIMIT_BYTES),
    log,
    closing,
  };
  const listener = createListener(deps);
  const come = Promise.withResolvers<void>();
  const server = new HttpServer(
    (request, response) => {
      listener(request, response);
      come.resolve();
    },
    () => {},
  );
  const socket = connect(await server.listen("127.0.0.1", 0), "127.0.0.1");
  socket.on("error", () => {}).resume();

  socket.write(HALF);
  await come.promise;
  hangUp(socket);

  expect(JSON.parse(await logged.promise)).toMatchObject({ level: 20, msg: "client broke off" });
  await server.drain(0);
});

test("what else happens after a response began is a warning with its stack", () => {
  const lines: string[] = [];
  const log = pino({ level: "debug" }, { write: (line) => lines.push(line) });

  for (const error of [new Error("odd"), Object.assign(new Error("odd"), { code: "ENOSPC" }), "odd", null])
    logLateErrors(log)(error);

  expect(lines.map((line) => JSON.parse(line) as object)).toEqual(
    lines.map(() => expect.objectContaining({ level: 40, msg: "response failed" })),
  );
  expect(lines).toHaveLength(4);
  expect(lines[0]).toContain("hang-up.test.ts");
});
