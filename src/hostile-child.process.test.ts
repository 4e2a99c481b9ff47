/** Hostile messages and actions of a child against the primary. Real processes run code of the test. */
import { expect, test, vi } from "vitest";
import { makePuppets } from "./testing/puppets.ts";
import { startServer, type Server } from "./testing/server.ts";

/** Lines for the channel that are not our messages, or that are false. */
const NONSENSE = [
  "null",
  "nonsense",
  "",
  "[]",
  "1e999",
  '{"type":null}',
  '{"type":"ready","port":1}',
  '{"type":"ready","port":[]}',
  '{"type":"failed","detail":{}}',
  '{"type":"heartbeat"}',
  '{"type":"heartbeat","vitals":null,"gauges":null}',
  '{"type":"heartbeat","vitals":{"rss_bytes":"a","cpu_percent":null,"in_flight":{},"lag_ms":[]},"gauges":{"a":"b"}}',
  '{"cmd":"NODE_HANDLE_ACK"}',
  `{"type":"${"x".repeat(60_000)}"}`,
];

test("nonsense from an agent changes nothing", async () => {
  await using puppets = await makePuppets();
  await using server = await startServer({ env: { CONFIG_DIR: puppets.configDir } });
  const before = await pidsOf(server);

  await puppets.run("agent", `fs.writeSync(3, ${JSON.stringify(NONSENSE.map((line) => `${line}\n`).join(""))})`);

  const { body } = await server.client.chat("/sim tokens=1");
  expect(body.reply).toBe("tok1");
  expect(await pidsOf(server)).toEqual(before);
});

test.each<[string, "agent" | "worker", string]>([
  // `writeSync` says EAGAIN while the socket is full: a loop that tries again floods it.
  ["an agent that floods its channel", "agent", repeatedly('fs.writeSync(3, "null\\n".repeat(1000))')],
  ["an agent that sends a message without an end", "agent", repeatedly('fs.writeSync(3, "x".repeat(10_000))')],
  ["an agent that closes its channel", "agent", "fs.closeSync(3)"],
  ["an agent that exits as if the settings were wrong", "agent", "process.exit(78)"],
  ["a worker that floods Node's IPC", "worker", "for (let n = 0; n < 20_000; n += 1) process.send(null)"],
  ["a worker that says what Node cannot handle", "worker", 'process.send({ cmd: "NODE_HANDLE_ACK" })'],
])("%s is replaced, and nobody else", async (_, kind, code) => {
  await using puppets = await makePuppets();
  await using server = await startServer({ env: { CONFIG_DIR: puppets.configDir } });
  const before = await pidsOf(server);

  await puppets.run(kind, code);

  await vi.waitFor(async () => expect((await pidsOf(server)).filter((pid) => !before.includes(pid))).toHaveLength(1), {
    timeout: 10_000,
  });
  expect((await pidsOf(server))[0]).toBe(server.pid);
  expect((await server.client.chat("/sim tokens=1")).body.reply).toBe("tok1");
});

function repeatedly(code: string): string {
  return `for (const endAt = Date.now() + 1_000; Date.now() < endAt; ) try { ${code} } catch {}`;
}

type Pids = readonly (number | null)[];

async function pidsOf(server: Server): Promise<Pids> {
  const all = await Promise.all((["primary", "worker", "agent"] as const).map((kind) => server.processes(kind)));
  return all.flat().map(({ pid }) => pid);
}
