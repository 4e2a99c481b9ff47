/**
 * Paths, methods, the key check, and the one place where an error becomes a response.
 * Called by server.ts for every request. Never parses messages itself.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { readJson } from "./body.ts";
import { errorBody, isRefusal, Refusal } from "./errors.ts";
import { type Exchange, type House, prepareAnswer } from "./messages.ts";
import type { Playback } from "./playback.ts";
import { parseRequest } from "./request.ts";

interface Route {
  readonly method: "GET" | "POST";
  readonly answer: (exchange: Exchange, house: House) => Promise<void>;
}

const ROUTES: Readonly<Record<string, Route>> = {
  "/v1/messages": { method: "POST", answer: postMessages },
  "/v1/messages/count_tokens": { method: "POST", answer: countTokens },
  "/v1/models": { method: "GET", answer: listModels },
  "/sim/stats": { method: "GET", answer: showStats },
};

/** Never rejects: each error is answered, or the socket is closed. */
export async function route(request: IncomingMessage, response: ServerResponse, house: House): Promise<void> {
  const exchange: Exchange = { request, response, requestId: house.newId("req") };
  // A write after the client's close emits an error event. Without a listener it would end the process.
  response.on("error", ignore);
  try {
    await findRoute(request, response).answer(exchange, house);
  } catch (error) {
    refuse(exchange, error);
  }
}

function findRoute({ url = "/", method }: IncomingMessage, response: ServerResponse): Route {
  const path = url.split("?", 1)[0] ?? "/";
  const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
  if (!route) throw new Refusal("not_found_error", "Not Found");
  if (route.method === method) return route;
  response.setHeader("allow", route.method);
  throw new Refusal("invalid_request_error", "Method Not Allowed", { status: 405 });
}

async function postMessages(exchange: Exchange, house: House): Promise<void> {
  const { request, response } = exchange;
  const record = house.ledger.open(exchange.requestId);
  let playback: Playback | undefined;
  response.once("close", () => {
    playback?.stop();
    house.ledger.close(record, playback?.ended() ?? (response.writableFinished ? "refused" : "aborted"));
  });
  try {
    checkKey(request);
    house.limit?.take(response);
    playback = await prepareAnswer(exchange, record, house);
    // The response has already emitted `close`, so nothing would ever stop a playback that starts now.
    if (response.destroyed) return;
    house.ledger.answer(record, 200);
    playback.start();
  } catch (error) {
    if (!response.destroyed) house.ledger.answer(record, refuse(exchange, error));
  }
}

async function countTokens(exchange: Exchange, { contextTokens }: House): Promise<void> {
  checkKey(exchange.request);
  const body = await readJson(exchange.request);
  const { inputTokens } = parseRequest(body, { maxTokens: false, contextTokens });
  sendJson(exchange, 200, { input_tokens: inputTokens });
}

async function listModels(exchange: Exchange): Promise<void> {
  checkKey(exchange.request);
  sendJson(exchange, 200, { data: MODELS, has_more: false, first_id: MODELS[0].id, last_id: MODELS[0].id });
}

async function showStats(exchange: Exchange, house: House): Promise<void> {
  sendJson(exchange, 200, house.ledger.stats());
}

/** Any other model name is answered too; this one says that it is simulated. */
const MODELS = [
  { type: "model", id: "simulated-model", display_name: "Simulated model", created_at: "2026-01-01T00:00:00Z" },
] as const;

/** Any key is accepted, but a missing key is refused, so that a client that forgets its key finds out here. */
function checkKey({ headers }: IncomingMessage): void {
  if (headers["x-api-key"] || headers.authorization) return;
  throw new Refusal("authentication_error", "x-api-key header is required");
}

/** @returns the status of the answer */
function refuse(exchange: Exchange, error: unknown): number {
  const refusal = isRefusal(error) ? error : new Refusal("api_error", `The simulator failed: ${String(error)}`);
  const { retryAfterSeconds, status, type, message } = refusal;
  if (retryAfterSeconds !== undefined) exchange.response.setHeader("retry-after", String(retryAfterSeconds));
  sendJson(exchange, status, errorBody(type, message, exchange.requestId));
  return status;
}

function sendJson({ response, requestId }: Exchange, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "request-id": requestId });
  response.end(JSON.stringify(body));
}

function ignore(): void {}
