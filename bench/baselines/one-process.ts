/**
 * The problem that evenkeel solves: one Koa process that answers /health and /api/activities from memory and runs the
 * model and its tools in the same event loop.
 */
import Anthropic from "@anthropic-ai/sdk";
import type { MessageParam, ToolResultBlockParam } from "@anthropic-ai/sdk/resources/messages/messages";
import { Router } from "@koa/router";
import Koa from "koa";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { serveJobs } from "../lib/jobs.ts";
import { spin } from "../lib/spin.ts";

const SPIN = {
  name: "spin",
  description: "Computes without a pause.",
  input_schema: { type: "object" as const, properties: { ms: { type: "integer" } }, required: ["ms"] },
};
const KEPT_ACTIVITIES = 1_000;

serveJobs(async ({ modelUrl }: { modelUrl: string }) => {
  const client = new Anthropic({ apiKey: "not-needed", baseURL: modelUrl, maxRetries: 0 });
  const activities = Array.from({ length: 60 }, (_, index) => activity(index, "notice"));
  const router = new Router();
  router.get("/health", (ctx) => {
    ctx.body = { status: "ok" };
  });
  router.get("/api/activities", (ctx) => {
    ctx.body = { activities: activities.slice(-50).toReversed() };
  });
  router.post("/api/chat/stream", async (ctx) => {
    const { message } = (await json(ctx.req)) as { message: string };
    activities.push(activity(activities.length, "run.started"));
    activities.splice(0, activities.length - KEPT_ACTIVITIES);
    ctx.respond = false;
    ctx.res.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache" });
    ctx.res.flushHeaders();
    chat(client, message, ctx.res).catch(() => ctx.res.destroy());
  });
  const app = new Koa();
  // Clients that hang up are not reported.
  app.silent = true;
  const server = app.use(router.routes()).listen({ host: "127.0.0.1", port: 0, backlog: 4096 });
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

/** Model call, tools, model call … in the handler, as a first version is written. */
async function chat(client: Anthropic, message: string, response: ServerResponse): Promise<void> {
  const messages: MessageParam[] = [{ role: "user", content: message }];
  while (!response.destroyed) {
    const stream = client.messages.stream({
      model: "simulated-model",
      max_tokens: 1_000_000,
      messages,
      tools: [SPIN],
    });
    const abort = () => stream.abort();
    response.on("close", abort);
    stream.on("text", (text) => response.write(`data: ${JSON.stringify({ type: "text", delta: text })}\n\n`));
    const { content } = await stream.finalMessage();
    response.off("close", abort);
    const results = content.flatMap((block): ToolResultBlockParam[] =>
      block.type === "tool_use"
        ? [{ type: "tool_result", tool_use_id: block.id, content: spin((block.input as { ms: number }).ms) }]
        : [],
    );
    if (results.length === 0) break;
    messages.push({ role: "assistant", content }, { role: "user", content: results });
  }
  response.end();
}

function activity(seq: number, type: string): object {
  return { seq, at: Date.now(), type, agent_id: null, thread_id: null, run_id: null, detail: { role: "bench" } };
}
