/**
 * A proxy that does by default what nginx does: it buffers an answer until it is complete, unless X-Accel-Buffering
 * forbids that, and cuts a connection on which the server was silent for proxy_read_timeout. Called by tests.
 */
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

/** nginx' default. */
const READ_TIMEOUT_MS = 60_000;

export interface Proxy extends AsyncDisposable {
  readonly url: string;
}

/** @param target the server behind it, `http://127.0.0.1:PORT` */
export async function startProxy(target: string): Promise<Proxy> {
  const sockets = new Set<Duplex>();
  const server = createServer((asked, answer) => forward(target, asked, answer));
  server.on("upgrade", (asked: IncomingMessage, socket: Duplex) => forwardUpgrade(target, asked, socket));
  server.on("connection", (socket: Duplex) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const dispose = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose };
}

function forward(target: string, asked: IncomingMessage, answer: ServerResponse): void {
  const sent = request(`${target}${asked.url}`, { method: asked.method, headers: asked.headers, agent: false });
  answer.on("close", () => sent.destroy());
  asked.pipe(sent);
  sent.on("error", () => answer.destroy());
  sent.on("response", (response) => {
    const { statusCode = 502, headers } = response;
    const held: Buffer[] | undefined = headers["x-accel-buffering"] === "no" ? undefined : [];
    const silence = cutWhenSilent(response, answer);
    if (!held) answer.writeHead(statusCode, headers).flushHeaders();
    response.on("data", (chunk: Buffer) => (held ? held.push(chunk) : answer.write(chunk)));
    response.on("end", () => {
      silence.stop();
      if (held) answer.writeHead(statusCode, headers);
      answer.end(held && Buffer.concat(held));
    });
  });
}

function forwardUpgrade(target: string, asked: IncomingMessage, socket: Duplex): void {
  const sent = request(`${target}${asked.url}`, { headers: asked.headers, agent: false });
  sent.on("upgrade", (response, behind) => {
    const lines = Object.entries(response.headers).map(([name, value]) => `${name}: ${String(value)}`);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
    const silence = cutWhenSilent(behind, socket);
    behind.pipe(socket).pipe(behind);
    for (const [one, other] of [
      [behind, socket],
      [socket, behind],
    ] as const) {
      one.on("error", () => {});
      one.on("close", () => {
        silence.stop();
        other.destroy();
      });
    }
  });
  sent.on("error", () => socket.destroy());
  sent.end();
}

/** Intervals, though each strikes once: tests turn these by hand and leave `setTimeout` alone. */
function cutWhenSilent(from: Duplex | IncomingMessage, to: Duplex | ServerResponse): { stop(): void } {
  const cut = () => {
    from.destroy();
    to.destroy();
  };
  let timer = setInterval(cut, READ_TIMEOUT_MS);
  const stop = () => clearInterval(timer);
  from.on("data", () => {
    stop();
    timer = setInterval(cut, READ_TIMEOUT_MS);
  });
  from.on("close", stop);
  return { stop };
}
