/** Requests that come while the process has no time: node:http looks at its clock before it reads them. */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { json } from "node:stream/consumers";
import { setImmediate as nextTick, setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { HttpServer } from "./server.ts";

const LIMIT_MS = 2_000;
const TIMEOUTS = { headersTimeout: LIMIT_MS, requestTimeout: LIMIT_MS, connectionsCheckingInterval: 100 };

/** Runs in a thread of its own, because it sends while the thread of the server has no time. */
const CLIENTS = `
  const { connect } = require("node:net");
  const { once } = require("node:events");
  const { parentPort, workerData: { port, requests } } = require("node:worker_threads");
  const open = async ([, before, meanwhile]) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => (text += data)).on("error", () => {});
    // There is time to see what would come after the answer.
    socket.once("data", () => setTimeout(() => socket.end(), 200));
    const closed = once(socket, "close");
    await once(socket, "connect");
    socket.write(before);
    return { send: () => socket.write(meanwhile), answer: closed.then(() => text) };
  };
  const run = async () => {
    const clients = await Promise.all(requests.map(open));
    const goOn = once(parentPort, "message");
    parentPort.postMessage("open");
    await goOn;
    setTimeout(() => clients.forEach(({ send }) => send()), 100);
    parentPort.postMessage(await Promise.all(clients.map(({ answer }) => answer)));
  };
  run();
`;

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SOCKET = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n";

const REQUESTS = [
  ["a request", "", GET, "HTTP/1.1 200 OK"],
  ["a request whose answer takes a while", "", GET.replace("/", "/later"), "HTTP/1.1 200 OK"],
  ["the rest of the headers", GET.slice(0, 20), GET.slice(20), "HTTP/1.1 200 OK"],
  ["the rest of a body", `${POST}{"a"`, ":1}", "HTTP/1.1 200 OK"],
  ["a request for a WebSocket", "", SOCKET, "HTTP/1.1 101 Switching Protocols"],
  ["not all of the headers", "", GET.slice(0, 20), "HTTP/1.1 408 Request Timeout"],
  ["not all of the body", `${POST}{`, '"a"', "HTTP/1.1 408 Request Timeout"],
] as const;

test("what came while the process had no time is answered, and what did not come by then is refused", async () => {
  const server = new HttpServer(serve, upgrade, TIMEOUTS);
  const port = await server.listen("127.0.0.1", 0);
  const clients = new Worker(CLIENTS, { eval: true, workerData: { port, requests: REQUESTS } });
  await once(clients, "message");
  // The server takes the connections, and reads what came before.
  await sleep(100);

  // The empty list: see `Upkeep.stop`.
  clients.postMessage("go on", []);
  // Timers are next.
  await nextTick();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LIMIT_MS + 500);
  const [answers] = (await once(clients, "message")) as [string[]];

  const said = answers.map((answer, index) => [REQUESTS[index]?.[0], answer.match(/HTTP\/1\.1 .*/g)]);
  expect(said).toEqual(REQUESTS.map(([what, , , expected]) => [what, [expected]]));
  await clients.terminate();
  await server.drain(0);
});

function serve(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === "/later") setTimeout(() => response.end("done"), 100);
  else if (request.method === "GET") response.end("done");
  else
    json(request).then(
      () => response.end("done"),
      () => {},
    );
}

function upgrade(_request: IncomingMessage, socket: Duplex): void {
  socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  socket.on("end", () => socket.end()).resume();
}
