/**
 * A model that repeats the message in every way a model can speak: as thought, as text, as the name of a tool and as
 * its arguments. It speaks the Messages API like the simulated model, with whose parts it is made; it says things that
 * the simulated model never says. Called by tests, which point ANTHROPIC_BASE_URL at it.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createIds } from "../simulator/ids.ts";
import type { Deltas, Script, ScriptBlock } from "../simulator/script.ts";
import { streamSteps } from "../simulator/steps.ts";

/** Requests with this model are refused, with the message as the reason. */
export const REFUSING_MODEL = "refusing";
/** Separates several texts of one message, so that one run can have many texts. */
export const BETWEEN = "\n--- and ---\n";
/** A tool that the configuration has, so that its result is hostile as well. */
export const ECHO_TOOL = "echo";

export interface Parrot extends AsyncDisposable {
  readonly url: string;
}

interface Block {
  readonly type: string;
  readonly text?: string;
}

interface Body {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string | readonly Block[] }[];
}

export async function startParrot(): Promise<Parrot> {
  const newId = createIds();
  const server = createServer((request, response) => {
    void answer(request, response, newId).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const dispose = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: dispose };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  newId: ReturnType<typeof createIds>,
): Promise<void> {
  const body = JSON.parse(Buffer.concat(await Array.fromAsync(request)).toString()) as Body;
  const heard = lastHeard(body);
  if (body.model === REFUSING_MODEL && heard.wasUser) {
    response.writeHead(400, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ type: "error", error: { type: "invalid_request_error", message: heard.text } }));
    return;
  }
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const script = heard.wasUser ? firstAnswer(body.model, heard.text) : lastAnswer(body.model, heard.text);
  for (const step of streamSteps({ script, fault: undefined, requestId: newId("req"), newId })) {
    if (typeof step === "string") response.write(step);
  }
  response.end();
}

/** The newest text of the user, and whether it is the newest message of all. */
function lastHeard({ messages }: Body): { text: string; wasUser: boolean } {
  const prompts = messages.filter(({ role, content }) => role === "user" && textOf(content) !== "");
  return { text: textOf(prompts.at(-1)?.content ?? ""), wasUser: prompts.at(-1) === messages.at(-1) };
}

function textOf(content: string | readonly Block[]): string {
  if (typeof content === "string") return content;
  return content.flatMap(({ type, text }) => (type === "text" && text !== undefined ? [text] : [])).join("\n");
}

function firstAnswer(model: string, heard: string): Script {
  return scriptOf(model, "tool_use", heard.split(BETWEEN).flatMap(inEveryWay));
}

function inEveryWay(text: string): ScriptBlock[] {
  const args = JSON.stringify({ text, [text]: text });
  return [
    { type: "thinking", deltas: pieces(text), signed: true },
    { type: "text", deltas: pieces(text) },
    { type: "tool_use", name: text, deltas: pieces(args) },
    { type: "tool_use", name: ECHO_TOOL, deltas: pieces(args) },
  ];
}

function lastAnswer(model: string, text: string): Script {
  return scriptOf(model, "end_turn", [{ type: "text", deltas: pieces(`${text}\n\nThat is all.`) }]);
}

function scriptOf(model: string, stopReason: Script["stopReason"], blocks: readonly ScriptBlock[]): Script {
  const usage = { inputTokens: 1, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 1 };
  return { model, stopReason, blocks, usage, ids: "unique" };
}

/** Sends the text in three pieces, so that tags and links are cut in the middle while they arrive. */
function pieces(text: string): Deltas {
  const size = Math.max(1, Math.ceil(text.length / 3));
  return { count: Math.ceil(text.length / size), at: (index) => text.slice(index * size, (index + 1) * size) };
}
