/**
 * A model that gives the answers of a test, one after the other, over the Messages API. It refuses what the API refuses,
 * as the simulated model does, with whose parts it is made. Called by `test-kit.ts`; runs in the test's own process.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readJson } from "../simulator/body.ts";
import { errorBody, invalid, isRefusal, Refusal, typeOfStatus } from "../simulator/errors.ts";
import { createIds } from "../simulator/ids.ts";
import { DEFAULT_CONTEXT_TOKENS, parseRequest } from "../simulator/request.ts";
import type { Deltas, Script, ScriptBlock } from "../simulator/script.ts";
import { streamSteps, wholeSteps, type Steps } from "../simulator/steps.ts";
import type { StopReason } from "../simulator/words.ts";

/** What the model says in one call. A text alone is an answer without tools. */
export type ScriptedAnswer =
  | string
  | {
      readonly text?: string;
      readonly thinking?: string;
      /** Tools that it calls, side by side. */
      readonly tools?: readonly { readonly name: string; readonly input: unknown }[];
      /** Default: "tool_use" if there are tool calls, otherwise "end_turn". */
      readonly stopReason?: StopReason;
    }
  /** The API's refusal: a status as its reference lists them, such as 400, 429 or 529. */
  | { readonly error: { readonly status: number; readonly message?: string; readonly retryAfterS?: number } };

/** The body of a request, as the Messages API's reference describes it. */
export type ModelRequest = Readonly<Record<string, unknown>>;

/** Answers in the order of the calls, or a function, for runs at the same time. */
export type ScriptedAnswers =
  | readonly ScriptedAnswer[]
  | ((request: ModelRequest) => ScriptedAnswer | Promise<ScriptedAnswer>);

export interface ScriptedModel extends AsyncDisposable {
  readonly url: string;
  /** The requests so far, oldest first. */
  readonly requests: readonly ModelRequest[];
}

/** Characters in a piece of text that is streamed. */
const PIECE = 8;

export async function startScriptedModel(answers: ScriptedAnswers): Promise<ScriptedModel> {
  const requests: ModelRequest[] = [];
  const newId = createIds();
  const say = typeof answers === "function" ? answers : inOrder(answers);
  const server = createServer((request, response) => {
    // A client that hangs up must not fail the test.
    response.on("error", () => {});
    const requestId = newId("req");
    void reply(request, response).catch((error: unknown) => {
      const { type, message, status, retryAfterSeconds } = isRefusal(error)
        ? error
        : invalid(`The script of this test failed: ${String(error)}`);
      if (retryAfterSeconds !== undefined) response.setHeader("retry-after", String(retryAfterSeconds));
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(errorBody(type, message, requestId)));
    });
    async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
      const body = await readJson(request);
      if (!request.url?.startsWith("/v1/messages")) throw new Refusal("not_found_error", "Not Found");
      const { model, stream } = parseRequest(body, { maxTokens: true, contextTokens: DEFAULT_CONTEXT_TOKENS });
      requests.push(body as ModelRequest);
      const scene = { script: scriptOf(await say(body as ModelRequest), model), fault: undefined, requestId, newId };
      response.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" });
      send(stream ? streamSteps(scene) : wholeSteps(scene), response);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: stop,
  };
}

/**
 * A refusal after which the agent does not try again: the run fails, and its error says that the test expected no
 * further call.
 */
function inOrder(answers: readonly ScriptedAnswer[]): () => ScriptedAnswer {
  let calls = 0;
  return () => {
    const answer = answers[calls++];
    if (answer === undefined)
      throw invalid(`The test has ${answers.length} answers for the model, and this is call ${calls}.`);
    return answer;
  };
}

function scriptOf(answer: ScriptedAnswer, model: string): Script {
  const { text, thinking, tools = [], stopReason } = plain(answer);
  const blocks: ScriptBlock[] = [
    ...(thinking === undefined ? [] : [{ type: "thinking", deltas: pieces(thinking), signed: true } as const]),
    ...(text === undefined ? [] : [{ type: "text", deltas: pieces(text) } as const]),
    ...tools.map(({ name, input }) => ({ type: "tool_use", name, deltas: pieces(JSON.stringify(input)) }) as const),
  ];
  const outputTokens = blocks.reduce((sum, { deltas }) => sum + deltas.count, 0);
  const usage = { inputTokens: 1, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens };
  return {
    model,
    blocks,
    stopReason: stopReason ?? (tools.length > 0 ? "tool_use" : "end_turn"),
    usage,
    ids: "unique",
  };
}

/** @throws Refusal that the answer asks for */
function plain(answer: ScriptedAnswer): Exclude<ScriptedAnswer, string | { error: unknown }> {
  if (typeof answer === "string") return { text: answer };
  if (!("error" in answer)) return answer;
  const { status, message = "Ordered by the test.", retryAfterS } = answer.error;
  throw new Refusal(typeOfStatus(status) ?? "api_error", message, { status, retryAfterSeconds: retryAfterS });
}

function pieces(text: string): Deltas {
  return { count: Math.ceil(text.length / PIECE), at: (index) => text.slice(index * PIECE, (index + 1) * PIECE) };
}

function send(steps: Steps, response: ServerResponse): void {
  for (const step of steps) if (typeof step === "string") response.write(step);
  response.end();
}
