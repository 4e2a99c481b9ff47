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
import { isRecord } from "./json.ts";
import type { InputUsage, PromptCache } from "./prompt-cache.ts";
import { parseRequest } from "./request.ts";
import type { RequestLimit } from "./request-limit.ts";
import { writeScript } from "./script.ts";
import { pageSteps, type Scene, type Steps, streamSteps, wholeSteps } from "./steps.ts";

/** The state that all requests of one simulator share. */
export interface House {
  readonly ledger: Ledger;
  readonly attempts: Attempts;
  readonly cache: PromptCache;
  readonly pacer: Pacer;
  readonly pace: Pace;
  /** The window of every model here. */
  readonly contextTokens: number;
  readonly limit: RequestLimit | undefined;
  readonly newId: NewId;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
}

/** Ready to start; nothing is written yet. @throws Refusal, or the request's own error when the client left. */
export async function prepareAnswer(exchange: Exchange, record: RequestRecord, house: House): Promise<Playback> {
  const body = await readJson(exchange.request);
  const situation = readSituation(body, house);
  record.model = situation.request.model;
  const { fault } = situation.directives;
  if (fault?.kind === "status") throw ordered(fault.type, fault.retryAfterSeconds);
  if (fault?.kind === "error" && !situation.request.stream) throw ordered(fault.type);
  const input = house.cache.count(isRecord(body) ? body : {}, situation.request.inputTokens);
  return stage(exchange, { situation, input }, house);
}

function readSituation(body: unknown, { attempts, contextTokens }: House): Situation {
  const request = parseRequest(body, { maxTokens: true, contextTokens });
  const conversation = readConversation(request.messages);
  const directives = parseDirectives(conversation.directives);
  const { fault, stop, times } = directives;
  const strikes = !fault || times === undefined || attempts.strikes(conversation.key, times);
  // `stop` is counted over all steps that answer one message, so that the next step can end differently.
  const stops = fault || times === undefined || attempts.strikes(conversation.promptKey, times);
  const pausesAgain = stop === "pause_turn" && conversation.goesOn;
  return {
    request,
    conversation,
    directives: {
      ...directives,
      fault: strikes ? fault : undefined,
      stop: stops && !pausesAgain ? stop : undefined,
    },
  };
}

function ordered(type: ErrorType, retryAfterSeconds?: number): Refusal {
  return new Refusal(type, `Ordered by a /sim line: ${type}`, { retryAfterSeconds });
}

interface Planned {
  readonly situation: Situation;
  readonly input: InputUsage;
}

function stage({ response, requestId }: Exchange, { situation, input }: Planned, house: House): Playback {
  const { rate, ttftMs, drip, fault } = situation.directives;
  const scene = { script: writeScript(situation, input), fault, requestId, newId: house.newId };
  const { steps, type } = representation(scene, situation.request.stream);
  return new Playback({
    response,
    steps,
    headers: { ...type, "request-id": requestId },
    pacer: house.pacer,
    pace: { ttftMs: ttftMs ?? house.pace.ttftMs, tokensPerSecond: rate ?? house.pace.tokensPerSecond },
    drip,
    onEvent: house.ledger.countEvent,
  });
}

function representation(scene: Scene, streams: boolean): { steps: Steps; type: Readonly<Record<string, string>> } {
  if (scene.fault?.kind === "html") return { steps: pageSteps(), type: HTML_HEADERS };
  const isStream = streams && scene.fault?.kind !== "plain";
  return isStream ? { steps: streamSteps(scene), type: SSE_HEADERS } : { steps: wholeSteps(scene), type: JSON_HEADERS };
}

const SSE_HEADERS = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };
const JSON_HEADERS = { "content-type": "application/json" };
const HTML_HEADERS = { "content-type": "text/html; charset=utf-8" };
