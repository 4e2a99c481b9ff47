/**
 * Reads the Messages API's event stream from a response that the SDK has fetched: each event is handed on as soon as
 * its bytes are there. Called by `model.ts`. [The SDK's `messages.stream()` passes each event through several async
 * generators and copies the message for it: with it a frame cost 1.51 times the CPU of a bare SDK pipe, without it
 * 1.36, medians of five alternating runs.]
 */
import type { RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages";
import { createParser, type EventSourceParser } from "eventsource-parser";
import { BrokenAnswer, WrongEndpoint } from "./model-error.ts";
import type { StreamedResponse } from "./model-http.ts";
import { APIError } from "./sdk.ts";
import { kindOf } from "./unexpected-body.ts";

/** Largest event. No part of an answer comes close to this. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

export interface Listener {
  /** Any byte came, if only a ping. */
  onSign(): void;
  onEvent(event: RawMessageStreamEvent): void;
}

/**
 * Resolves when the body ends. Rejects with what the listener throws, and closes the connection then.
 * @throws APIError what the API says in an `error` event; BrokenAnswer or SyntaxError when the stream breaks;
 * WrongEndpoint when it is no event stream
 */
export async function readEvents(response: StreamedResponse, listener: Listener): Promise<void> {
  const type = response.headers.get("content-type") ?? "";
  if (type.includes("json") || type.includes("html")) throw notAStream(response, await response.readStart());
  // Gateways give event streams other types, or none: then the first characters decide.
  let isKnown = type.startsWith("text/event-stream");
  const parser = parserFor(response, listener);
  await response.read((text) => {
    if (!isKnown && kindOf(text) !== "text") throw notAStream(response, text);
    isKnown = true;
    listener.onSign();
    parser.feed(text);
  });
}

function parserFor(response: StreamedResponse, listener: Listener): EventSourceParser {
  return createParser({
    maxBufferSize: MAX_CHARACTERS,
    onError: ({ type }) => {
      if (type === "max-buffer-size-exceeded")
        throw new BrokenAnswer(`the model sent an event of more than ${MAX_CHARACTERS} characters`);
    },
    onEvent: ({ event: name, data }) => {
      if (name === "error") throw new APIError(undefined, errorIn(response.redact(data)), undefined, response.headers);
      // Each event of the API has a name. A gateway's own events (`data: [DONE]`, a keep-alive) have none.
      if (name === undefined || name === "ping" || data === "") return;
      listener.onEvent(JSON.parse(data) as RawMessageStreamEvent);
    },
  });
}

function notAStream(response: StreamedResponse, text: string): WrongEndpoint {
  return new WrongEndpoint(`an event stream was due, and what came is ${response.describe(response.redact(text))}`);
}

/** The error may come from a gateway in between, which does not write JSON. */
function errorIn(data: string): object {
  try {
    const error: unknown = JSON.parse(data);
    if (typeof error === "object" && error !== null) return error;
  } catch {
    // The data is plain text.
  }
  return { message: data === "" ? "an error without a word" : data };
}
