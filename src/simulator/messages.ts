/**
 * POST /v1/messages from its body to the first byte of its answer.
 * Called by routes.ts. Keeps of the request only what its script needs: ten thousand open streams must not
 * hold ten thousand conversations.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Attempts } from "./attempts.ts";
import { readJson } from "./body.ts";
import type { Situation } from "./calls.ts";
import { readConversation } from "./conversation.ts";
import { parseDirectives } from "./directives.ts";
import { type ErrorType, Refusal } from "./errors.ts";
import type { NewId } from "./ids.ts";
import type { Ledger, RequestRecord } from "./ledger.ts";
import type { Pacer } from "./pacer.ts";
import { type Pace, Playback } from "./playback.ts";
import { parseRequest } from "./request.ts";
import { writeScript } from "./script.ts";
import { streamSteps, wholeSteps } from "./steps.ts";

/** What all requests of one simulator share. */
export interface House {
  readonly ledger: Ledger;
  readonly attempts: Attempts;
  readonly pacer: Pacer;
  readonly pace: Pace;
  /** The window of every model here. */
  readonly contextTokens: number;
  readonly newId: NewId;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
}

/** Ready to start; nothing is written yet. @throws Refusal, or the request's own error when the client left. */
export async function prepareAnswer(exchange: Exchange, record: RequestRecord, house: House): Promise<Playback> {
  const situation = readSituation(await readJson(exchange.request), house);
  record.model = situation.request.model;
  const { fault } = situation.directives;
  if (fault?.kind === "status") throw ordered(fault.type, fault.retryAfterSeconds);
  if (fault?.kind === "error" && !situation.request.stream) throw ordered(fault.type);
  return stage(exchange, situation, house);
}

function readSituation(body: unknown, { attempts, contextTokens }: House): Situation {
  const request = parseRequest(body, { maxTokens: true, contextTokens });
  const conversation = readConversation(request.messages);
  const directives = parseDirectives(conversation.directives);
  const { fault, times } = directives;
  const strikes = !fault || times === undefined || attempts.strikes(conversation.key, times);
  return { request, conversation, directives: strikes ? directives : { ...directives, fault: undefined } };
}

function ordered(type: ErrorType, retryAfterSeconds?: number): Refusal {
  return new Refusal(type, `Ordered by a /sim line: ${type}`, { retryAfterSeconds });
}

function stage({ response, requestId }: Exchange, situation: Situation, house: House): Playback {
  const { rate, ttftMs, drip, fault } = situation.directives;
  const scene = { script: writeScript(situation), fault, requestId, newId: house.newId };
  return new Playback({
    response,
    steps: situation.request.stream ? streamSteps(scene) : wholeSteps(scene),
    headers: { ...(situation.request.stream ? SSE_HEADERS : JSON_HEADERS), "request-id": requestId },
    pacer: house.pacer,
    pace: { ttftMs: ttftMs ?? house.pace.ttftMs, tokensPerSecond: rate ?? house.pace.tokensPerSecond },
    drip,
    onEvent: house.ledger.countEvent,
  });
}

const SSE_HEADERS = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };
const JSON_HEADERS = { "content-type": "application/json" };
