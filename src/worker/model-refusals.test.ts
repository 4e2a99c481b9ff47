/** What users of each client see when the model refuses the operator's key, account or model: what to do, and no key. */
import { HttpAgent } from "@ag-ui/client";
import { Chat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage } from "ai";
import OpenAI from "openai";
import { afterEach, expect, test, vi } from "vitest";
import { Evenkeel } from "../client/client.ts";
import { startCluster } from "../testing/cluster.ts";
import { ModelTap } from "../testing/model-tap.ts";

afterEach(() => void vi.restoreAllMocks());

/** The key that a cluster sends to its model. */
const KEY = "simulated";

/** Only secrets of a real model are kept out of texts. */
const REAL = { simulated: false, apiKey: KEY, baseUrl: null, authorization: null, proxy: {} };

/** As the Messages API says it; an endpoint may repeat the key. */
const REFUSALS: readonly [status: number, type: string, message: string, code: string, advice: RegExp][] = [
  [401, "authentication_error", `invalid x-api-key ${KEY}`, "MODEL_UNAUTHORIZED", /check ANTHROPIC_API_KEY/],
  [403, "permission_error", `no permission for ${KEY}`, "MODEL_UNAUTHORIZED", /whether it may use the agent's `model`/],
  [404, "not_found_error", "model: claude-nothing", "MODEL_NOT_FOUND", /claude-nothing; check the agent's `model`/],
  [
    400,
    "invalid_request_error",
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.",
    "MODEL_UNAUTHORIZED",
    /Billing; add credit to the account/,
  ],
  [402, "billing_error", "Payment is due.", "MODEL_UNAUTHORIZED", /add credit to the account/],
];

async function reasonOf(failing: PromiseLike<unknown>): Promise<string> {
  return Promise.resolve(failing).then(
    () => "It did not fail.",
    (error: unknown) => `${String(error)} ${JSON.stringify(error)}`,
  );
}

test.each(REFUSALS)("%s %s is told to each client with what to do, and without the key", async (...refusal) => {
  const [status, type, message, code, advice] = refusal;
  vi.spyOn(console, "error").mockImplementation(() => {});
  await using tap = await ModelTap.open();
  tap.answer = () => Response.json({ type: "error", error: { type, message } }, { status });
  await using cluster = await startCluster({ modelUrl: tap.url, settings: { model: REAL } });
  const url = cluster.client.url;
  const openai = new OpenAI({ apiKey: "none", baseURL: `${url}/v1` });
  const evenkeel = new Evenkeel({ baseUrl: url });
  const ask = { agent_id: "assistant", message: "Hello" };
  const completion = { model: "assistant", messages: [{ role: "user" as const, content: "Hello" }] };
  const ui = new Chat<UIMessage>({ transport: new DefaultChatTransport({ api: `${url}/api/chat` }) });
  await ui.sendMessage({ text: "Hello" });
  const agUi = new HttpAgent({ url: `${url}/api/agui/assistant` });
  agUi.addMessage({ id: "1", role: "user", content: "Hello" });
  const events = await Array.fromAsync(evenkeel.stream(ask));
  const response = await openai.responses.create({ model: "assistant", input: "Hello" });

  const seen = {
    chat: await reasonOf(evenkeel.chat(ask)),
    stream: JSON.stringify(events.at(-1)),
    aiSdk: String(ui.error),
    agUi: await agUi.runAgent({}, { onRunErrorEvent: ({ event }) => void (agUiError = event.message) }).then(
      () => agUiError,
      (error: unknown) => String(error),
    ),
    completion: await reasonOf(openai.chat.completions.create(completion)),
    streamed: await reasonOf(
      openai.chat.completions.create({ ...completion, stream: true }).then((stream) => Array.fromAsync(stream)),
    ),
    response: JSON.stringify(response.error),
  };

  for (const [client, reason] of Object.entries(seen)) {
    expect([client, reason]).toEqual([client, expect.stringMatching(advice)]);
    expect([client, reason]).toEqual([client, expect.not.stringContaining(KEY)]);
  }
  expect(seen.chat).toContain(code);
  // Each was asked once, by its client and by the server.
  expect(tap.asked).toHaveLength(7);
});

let agUiError = "";

test("a message stays in its thread when the key was wrong, and the model gets it once the key is right", async () => {
  await using tap = await ModelTap.open();
  await using cluster = await startCluster({ modelUrl: tap.url });
  tap.target = cluster.simulator.url;
  tap.answer = ({ messages }) =>
    messages.length > 1
      ? undefined
      : Response.json({ type: "error", error: { type: "not_found_error", message: "model: x" } }, { status: 404 });
  await cluster.client.chat("My name is Ana.", { thread_id: "t" });

  const { body } = await cluster.client.get("/api/threads/t");
  expect(JSON.stringify(body["messages"])).not.toContain('"sent":false');
  tap.answer = () => undefined;
  await cluster.client.chat("What is my name?", { thread_id: "t" });
  expect(JSON.stringify(tap.asked.at(-1)?.messages)).toContain("My name is Ana.");
});
