/**
 * What a request asks beyond its message: text behind the system prompt for this run alone, and a schema for the reply.
 */
import { expect, test } from "vitest";
import { defineAgents } from "../core/agent.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { ModelTap } from "../testing/model-tap.ts";

const agents = defineAgents({
  assistant: { model: "m", system: "Be kind.", accepts: ["extra_context", "instructions", "response_format"] },
  strict: { model: "m" },
});

const FORMAT = {
  type: "json_schema",
  schema: { type: "object", properties: { sum: { type: "integer" } }, required: ["sum"] },
};

interface Tapped extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly tap: ModelTap;
}

async function startTapped(): Promise<Tapped> {
  await using stack = new AsyncDisposableStack();
  const tap = stack.use(await ModelTap.open());
  const cluster = stack.use(await startCluster({ agents, modelUrl: tap.url }));
  tap.target = cluster.simulator.url;
  const owned = stack.move();
  return { cluster, tap, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("context and instructions stand behind the system prompt of this run, and in no turn of the thread", async () => {
  await using tapped = await startTapped();
  const { cluster, tap } = tapped;
  const asked = { extra_context: "The shop closes at six.", instructions: "Answer in French." };

  await cluster.client.chat("/sim tokens=1", { thread_id: "t", ...asked });
  await cluster.client.chat("/sim tokens=1", { thread_id: "t" });

  const [first, second] = tap.asked.map(({ system }) => (system as { text: string }[]).map(({ text }) => text));
  expect(first).toEqual(["Be kind.", "Answer in French.", "Context of this request:\n\nThe shop closes at six."]);
  expect(second).toEqual(["Be kind."]);
  expect(JSON.stringify((await cluster.client.get("/api/threads/t")).body)).not.toContain("closes at six");
});

test("a reply that fits the schema is in `output`, parsed", async () => {
  await using tapped = await startTapped();
  const { client } = tapped.cluster;
  const fields = { run_id: "mine", response_format: FORMAT };

  const { body } = await client.chat('/sim text="```json\\n{\\"sum\\":42}\\n```"', fields);

  expect(body).toMatchObject({ status: "completed", output: { sum: 42 } });
  expect((await client.get("/api/runs/mine")).body).toMatchObject({ output: { sum: 42 } });
  expect((await client.events("mine")).at(-1)).toMatchObject({ result: { output: { sum: 42 } } });
});

test("a reply that does not fit is tried once more, and the model is told why", async () => {
  await using tapped = await startTapped();
  const { cluster, tap } = tapped;
  tap.answer = ({ messages }) => (messages.length > 1 ? answering('{"sum":42}') : undefined);

  const { body } = await cluster.client.chat('/sim text="{\\"sum\\":\\"many\\"}"', { response_format: FORMAT });

  expect(body).toMatchObject({ status: "completed", output: { sum: 42 }, steps: 2 });
  expect(JSON.stringify(tap.asked[1]?.messages.at(-1))).toMatch(/does not fit the schema: .*expected (number|int)/);
});

test("a reply that does not fit the second time either fails the run with the reason", async () => {
  await using tapped = await startTapped();
  const { cluster, tap } = tapped;

  const { status, body } = await cluster.client.chat("hello", { response_format: FORMAT });

  expect({ status, code: body.code }).toEqual({ status: 502, code: "REPLY_MISFIT" });
  expect(body.detail).toContain("it is not JSON");
  expect(tap.asked).toHaveLength(2);
});

test("a schema that cannot be checked in time fails its own run, and holds up no other for long", async () => {
  await using tapped = await startTapped();
  const { client } = tapped.cluster;
  tapped.tap.answer = ({ messages }) =>
    JSON.stringify(messages).includes("fill in the form") ? answering('{"x":{}}') : undefined;
  const $defs: Record<string, unknown> = { a0: { type: "number" } };
  for (let level = 1; level <= 24; level += 1) {
    const below = { $ref: `#/$defs/a${level - 1}` };
    $defs[`a${level}`] = { anyOf: [below, below] };
  }
  const schema = { type: "object", properties: { x: { $ref: "#/$defs/a24" } }, $defs };

  const fields = { response_format: { type: "json_schema", schema } };
  const [bad, other] = await Promise.all([
    client.chat("fill in the form", fields),
    client.chat("/sim tokens=20 rate=20"),
  ]);

  expect({ status: bad.status, code: bad.body.code }).toEqual({ status: 502, code: "REPLY_MISFIT" });
  expect(bad.body.detail).toContain("too many alternatives");
  expect(other.body).toMatchObject({ status: "completed" });
});

test.each(["extra_context", "instructions", "response_format"])(
  "an agent that does not accept `%s` refuses it",
  async (name) => {
    await using tapped = await startTapped();
    const value = name === "response_format" ? FORMAT : "text";

    const { status, body } = await tapped.cluster.client.chat("hello", { agent_id: "strict", [name]: value });

    expect({ status, code: body.code }).toEqual({ status: 400, code: "INVALID_REQUEST" });
    expect(body.detail).toContain(`takes no \`${name}\``);
  },
);

test.each([
  [{ type: "nonsense" }, "to be a JSON schema (Unsupported type: nonsense)"],
  [{ type: "string", pattern: "(a+)+$" }, "to be a JSON schema without `pattern`"],
])("the schema %o is refused", async (schema, reason) => {
  await using tapped = await startTapped();
  const fields = { response_format: { type: "json_schema", schema } };

  expect((await tapped.cluster.client.chat("hello", fields)).body.detail).toContain(reason);
});

function answering(text: string): Response {
  const events = [
    { type: "message_start", message: { id: "msg_1", role: "assistant", content: [], usage: { input_tokens: 1 } } },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } },
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 5 } },
    { type: "message_stop" },
  ];
  const body = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}
