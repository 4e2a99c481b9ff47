/** Requests that come while the process has no time: node:http looks at its clock before it reads them. */
import { once } from "node:events";
import { json } from "node:stream/consumers";
import { setImmediate as nextTick, setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { HttpServer } from "./server.ts";

const TIMEOUTS = { headersTimeout: 500, requestTimeout: 500 };
/** Longer than these, and than the second after which node:http looks for connections that are too slow. */
const BUSY_MS = 1_800;

/** Runs in a thread of its own, because it sends while the thread of the server has no time. */
const CLIENT = `
  const { connect } = require("node:net");
  const { parentPort, workerData: { port, before, meanwhile } } = require("node:worker_threads");
  const socket = connect(port, "127.0.0.1", () => socket.write(before, () => parentPort.postMessage("sent")));
  let text = "";
  socket.on("data", (data) => (text += data)).on("error", () => {}).on("close", () => parentPort.postMessage(text));
  parentPort.once("message", () => setTimeout(() => socket.write(meanwhile), 100));
`;

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const SOCKET = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 7\r\n\r\n";

test.each([
  ["a request", "", GET, "200 OK"],
  ["the rest of the headers", GET.slice(0, 20), GET.slice(20), "200 OK"],
  ["the rest of a body", `${POST}{"a"`, ":1}", "200 OK"],
  ["a request for a WebSocket", "", SOCKET, "101 Switching Protocols"],
  ["not all of the headers", "", GET.slice(0, 20), "408 Request Timeout"],
  ["not all of the body", `${POST}{`, '"a"', "408 Request Timeout"],
])("when the process has time again, %s, sent meanwhile, is answered", async (...[, before, meanwhile, expected]) => {
  const server = new HttpServer(
    (request, response) => {
      const read = request.method === "POST" ? json(request) : Promise.resolve();
      read.then(
        () => response.end("done"),
        () => {},
      );
    },
    (_request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
      setTimeout(() => socket.end(), 100);
    },
    TIMEOUTS,
  );
  const port = await server.listen("127.0.0.1", 0);
  const client = new Worker(CLIENT, { eval: true, workerData: { port, before, meanwhile } });
  await once(client, "message");
  // The server takes the connection, and reads what came before.
  await sleep(100);

  // The empty list: see `Upkeep.stop`.
  client.postMessage("go on", []);
  // Timers are next.
  await nextTick();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_MS);
  const [text] = (await once(client, "message")) as [string];

  expect(text.match(/HTTP\/1\.1 .*/g)).toEqual([`HTTP/1.1 ${expected}`]);
  await client.terminate();
  await server.drain(0);
});
