/** Baseline of streaming: the SDK's stream piped straight into an SSE response, one frame a text delta. */
import Anthropic from "@anthropic-ai/sdk";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { serveJobs } from "../lib/jobs.ts";

serveJobs(async ({ modelUrl }: { modelUrl: string }) => {
  const client = new Anthropic({ apiKey: "not-needed", baseURL: modelUrl, maxRetries: 0 });
  const server = createServer((request, response) => {
    pipe(client, request, response).catch(() => response.destroy());
  });
  server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

async function pipe(client: Anthropic, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { message } = (await json(request)) as { message: string };
  response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache" });
  response.flushHeaders();
  const stream = client.messages.stream({
    model: "simulated-model",
    max_tokens: 1_000_000,
    messages: [{ role: "user", content: message }],
  });
  response.on("close", () => stream.abort());
  stream.on("text", (text) => response.write(`data: ${JSON.stringify({ type: "text", delta: text })}\n\n`));
  await stream.finalMessage();
  response.end();
}
