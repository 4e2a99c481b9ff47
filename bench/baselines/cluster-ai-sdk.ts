/**
 * What most people would write: node:cluster, one process a core or more, and in each the AI SDK with its tools, piped
 * into the response. GET /health is answered by the same event loops.
 */
import { createAnthropic } from "@ai-sdk/anthropic";
import { convertToModelMessages, isStepCount, streamText, tool, type UIMessage } from "ai";
import cluster from "node:cluster";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { z } from "zod";
import { serveJobs } from "../lib/jobs.ts";
import { spin } from "../lib/spin.ts";

const WORKERS = 4;

if (cluster.isPrimary) {
  serveJobs(async ({ modelUrl }: { modelUrl: string }) => {
    const workers = Array.from({ length: WORKERS }, () => cluster.fork({ MODEL_URL: modelUrl }));
    // All processes listen on the port that the kernel chose for the first one.
    const [address] = (await Promise.all(workers.map((worker) => once(worker, "listening")))).flat() as AddressInfo[];
    return `http://127.0.0.1:${address?.port}`;
  });
} else {
  serve(`${process.env["MODEL_URL"]}/v1`);
}

function serve(baseURL: string): void {
  const model = createAnthropic({ baseURL, apiKey: "not-needed" })("simulated-model");
  const tools = {
    spin: tool({
      description: "Computes without a pause.",
      inputSchema: z.object({ ms: z.number().int() }),
      execute: async ({ ms }) => spin(ms),
    }),
  };
  const chat = async (request: IncomingMessage, response: ServerResponse) => {
    const { messages } = (await json(request)) as { messages: UIMessage[] };
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    await streamText({
      model,
      tools,
      messages: await convertToModelMessages(messages),
      maxOutputTokens: 1_000_000,
      maxRetries: 0,
      stopWhen: isStepCount(1_000_000),
      abortSignal: gone.signal,
      // Clients that hang up are not reported.
      onError: () => {},
    }).pipeUIMessageStreamToResponse(response);
  };
  createServer((request, response) => {
    if (request.url === "/health") {
      response.setHeader("Content-Type", "application/json");
      response.end('{"status":"ok"}');
    } else {
      chat(request, response).catch(() => response.destroy());
    }
  }).listen({ host: "127.0.0.1", port: 0, backlog: 4096 });
}
