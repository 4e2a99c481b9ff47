/** A worker may have thousands of open requests. None may hold the body that it came with, or what it holds is counted. */
import { connect, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test, vi } from "vitest";
import { newId } from "../core/id.ts";
import { LOCAL } from "../core/principal.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { KEPT_LIMIT_BYTES } from "./body-memory.ts";

const REQUESTS = 8;
/** Fits into the window of the agent's model. */
const TEXT_CHARACTERS = 600_000;
/** The text is one byte a character, as bytes and as a string of V8. What else is held: requests, code that was compiled. */
const MOST_HELD_BYTES = TEXT_CHARACTERS / 2;
/** Only patience. */
const STORED_WITHIN = { timeout: 20_000 };

const openAi = (text: string) => ({ model: "assistant", messages: [{ role: "user", content: text }] });
const aiSdk = (text: string) => ({
  id: newId("thread"),
  messages: [{ id: "message", role: "user", parts: [{ type: "text", text }] }],
});
const agUi = (content: string) => ({
  threadId: newId("thread"),
  runId: newId("run"),
  messages: [{ id: "1", role: "user", content }],
});

test.each<[string, string, (text: string) => object]>([
  ["stream", "/api/chat/stream", (message) => ({ agent_id: "assistant", message })],
  ["chat that waits for its reply", "/api/chat", (message) => ({ agent_id: "assistant", message })],
  ["stream of the AI SDK", "/api/chat?agent=assistant", aiSdk],
  ["stream of OpenAI's completions", "/v1/chat/completions", (text) => ({ ...openAi(text), stream: true })],
  ["completion of OpenAI", "/v1/chat/completions", openAi],
  ["stream of OpenAI's responses", "/v1/responses", (input) => ({ model: "assistant", input, stream: true })],
  ["response of OpenAI", "/v1/responses", (input) => ({ model: "assistant", input })],
])("an open %s does not hold its body", async (_name, path, bodyOf) => {
  await using cluster = await startCluster({ runner: false });
  const ask = (requests: number) => askMany(cluster, { path, bodyOf, requests });
  // The first requests load code.
  await ask(2);
  const before = heldBytes();

  await ask(REQUESTS);

  expect((heldBytes() - before) / REQUESTS).toBeLessThan(MOST_HELD_BYTES);
});

test("an open stream of AG-UI counts its client's messages until it ends", async () => {
  await using cluster = await startCluster({ runner: false });
  const path = "/api/agui/assistant";
  const sockets = await askMany(cluster, { path, bodyOf: agUi, requests: REQUESTS });
  const others = cluster.keptMemory.share(LOCAL);
  const all = 0.75 * KEPT_LIMIT_BYTES;
  others.resize(all - REQUESTS * TEXT_CHARACTERS - TEXT_CHARACTERS / 2);

  const refused = await cluster.client.post(path, agUi("x".repeat(TEXT_CHARACTERS)));

  expect([refused.status, refused.body["code"]]).toEqual([503, "OVERLOADED"]);
  for (const socket of sockets) socket.destroy();
  await vi.waitFor(() => others.resize(all), STORED_WITHIN);
});

interface Asked {
  readonly path: string;
  readonly bodyOf: (text: string) => object;
  readonly requests: number;
}

/** Resolves when the runs of all are stored. They are not over before the test, because nothing claims them. */
async function askMany({ engine, port }: Cluster, { path, bodyOf, requests }: Asked): Promise<Socket[]> {
  const { queued } = await engine.counts();
  const sockets: Socket[] = [];
  for (let asked = 0; asked < requests; asked += 1) {
    const json = JSON.stringify(bodyOf("x".repeat(TEXT_CHARACTERS)));
    const head = `Host: localhost\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\n`;
    const socket = open(port);
    socket.write(`POST ${path} HTTP/1.1\r\n${head}\r\n${json}`);
    sockets.push(socket);
  }
  await vi.waitFor(async () => expect((await engine.counts()).queued).toBe(queued + requests), STORED_WITHIN);
  return sockets;
}

function open(port: number): Socket {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  return socket.on("error", () => {}).resume();
}

/** Once all garbage is collected. */
function heldBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  // The second collection finds what only dead objects owned.
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
