/** Stands between agents and the simulated model: records each request, and may refuse some. Called by tests. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface Tapped {
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: IncomingHttpHeaders;
}

/** @param target the simulator's URL, asked for with each request. @param refuses which are answered 529 */
export async function startTap(target: () => string, refuses: (request: Tapped) => boolean = () => false) {
  const seen: Tapped[] = [];
  const server = createServer((request, response) => {
    void Array.fromAsync(request).then(async (chunks) => {
      const text = Buffer.concat(chunks).toString();
      const tapped = { body: JSON.parse(text) as Tapped["body"], headers: request.headers };
      seen.push(tapped);
      if (refuses(tapped)) {
        response.writeHead(529, { "content-type": "application/json" });
        response.end('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}');
        return;
      }
      const headers = { "x-api-key": "any", "content-type": "application/json" };
      const answer = await fetch(`${target()}${request.url}`, { method: "POST", headers, body: text });
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      response.end(await answer.text());
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const dispose = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, seen, [Symbol.asyncDispose]: dispose };
}
