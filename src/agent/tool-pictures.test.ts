/**
 * Pictures that tools return: they are stored once, shown to the model and to clients, and never make a thread
 * unusable.
 */
import { expect, test } from "vitest";
import { z } from "zod";
import { defineAgents } from "../core/agent.ts";
import { MAX_PICTURE_BYTES } from "../core/limits.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { inlineTools } from "../testing/inline-tools.ts";
import { ModelTap } from "../testing/model-tap.ts";
import { PIXEL, pngOf } from "../testing/pictures.ts";
import type { Tools } from "./tools/invoke.ts";
import { defineTool, type ToolParts } from "./tools/tool.ts";

const look = defineTool({
  description: "Looks.",
  input: z.object({}),
  effects: "pure",
  run: (): ToolParts => ({
    content: [
      { type: "text", text: "a dot" },
      { type: "image", data: Buffer.from(PIXEL, "base64") },
    ],
  }),
});

interface Tapped extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly tap: ModelTap;
}

async function start(tools: Tools = inlineTools({ look })): Promise<Tapped> {
  await using stack = new AsyncDisposableStack();
  const tap = stack.use(await ModelTap.open());
  const agents = defineAgents({ assistant: { model: "m", tools: [...tools.keys()] }, plain: { model: "m" } });
  const cluster = stack.use(await startCluster({ agents, tools, modelUrl: tap.url }));
  tap.target = cluster.simulator.url;
  const owned = stack.move();
  return { cluster, tap, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const THREAD = { thread_id: "t" };
const IMAGE = { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } };

interface Block {
  readonly type: string;
  readonly content?: unknown;
  readonly [field: string]: unknown;
}

/** The blocks of all messages in the last request to the model. */
function lastAsked({ asked }: ModelTap): Block[] {
  return (asked.at(-1)?.messages ?? []).flatMap(({ content }) => content as Block[]);
}

async function storedResult({ client }: Cluster): Promise<unknown> {
  const { body } = await client.get("/api/threads/t");
  const blocks = (body["messages"] as { content: string | Block[] }[]).flatMap(({ content }) => content as Block[]);
  return blocks.find(({ type }) => type === "tool_result")?.content;
}

test("a tool's picture goes to the model, and thread, events and files have it once", async () => {
  await using it = await start();
  const { client } = it.cluster;

  const first = await client.chat("/sim tool=look input={} tool=look input={}", THREAD);
  expect(first).toMatchObject({ status: 200, body: { finish_reason: "stop" } });

  const shown = [{ type: "text", text: "a dot" }, IMAGE];
  expect(lastAsked(it.tap).filter(({ type }) => type === "tool_result")).toEqual([
    expect.objectContaining({ content: shown }),
    expect.objectContaining({ content: shown }),
  ]);
  const stored = (await storedResult(it.cluster)) as [Block, { source: { file_id: string } }];
  expect(stored).toEqual([
    { type: "text", text: "a dot" },
    { type: "image", source: { type: "file", file_id: expect.any(String) } },
  ]);
  const path = `/api/files/${stored[1].source.file_id}`;
  const file = await fetch(`http://127.0.0.1:${it.cluster.port}${path}`);
  expect(file.headers.get("content-type")).toBe("image/png");
  expect(Buffer.from(await file.arrayBuffer()).toString("base64")).toBe(PIXEL);

  const { body } = await client.get(`/api/runs/${first.body["run_id"]}/events`);
  const results = (body["events"] as Block[]).filter(({ type }) => type === "TOOL_CALL_RESULT");
  const inJournal = [
    { type: "text", text: "a dot" },
    { type: "image", source: { type: "url", value: path } },
  ];
  expect(results.map(({ content }) => content)).toEqual([inJournal, inJournal]);
  expect(await client.chat("/sim tokens=2", THREAD)).toMatchObject({ status: 200 });
  expect(await client.chat("/sim tokens=2", { ...THREAD, agent_id: "plain" })).toMatchObject({ status: 200 });
});

test("a job's reply names the pictures of its tool", async () => {
  await using it = await start();
  const { client } = it.cluster;
  const { body } = await client.post("/api/jobs", { tool: "look", input: {} });
  await expect
    .poll(async () => (await client.get(`/api/runs/${body["run_id"]}`)).body)
    .toMatchObject({ status: "completed", reply: expect.stringMatching(/^a dot\n\[image file_\w+\]$/) });
});

test.each([
  ["no picture", Buffer.from([1, 2, 3]), "its first bytes are those of no"],
  ["half a picture", Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), "it is no whole picture"],
  ["a picture of 9,000 pixels", pngOf(9_000, 1), "it is 9000 pixels long"],
  [
    "a picture of more than 5 MB in base64",
    Buffer.concat([Buffer.from(PIXEL, "base64"), Buffer.alloc(MAX_PICTURE_BYTES)]),
    "pictures of 3932160 bytes at most",
  ],
] as const)("%s is left out, the model is told, and the thread goes on", async (_what, data, why) => {
  const bad = defineTool({ ...look, run: (): ToolParts => ({ content: [{ type: "image", data }] }) });
  await using it = await start(inlineTools({ look: bad }));

  expect(await it.cluster.client.chat("/sim tool=look input={}", THREAD)).toMatchObject({ status: 200 });

  expect(await storedResult(it.cluster)).toEqual([{ type: "text", text: expect.stringContaining(why) }]);
  expect(await it.cluster.client.chat("/sim tokens=2", THREAD)).toMatchObject({ status: 200 });
});

test("the picture of a call that failed goes to the model behind its result", async () => {
  const content = [
    { type: "text", text: "no such button" },
    { type: "media", data: PIXEL },
  ] as const;
  const [[name, tool]] = [...inlineTools({ look })] as [[string, ReturnType<Tools["get"]> & object]];
  await using it = await start(new Map([[name, { ...tool, invoke: async () => ({ content, isError: true }) }]]));

  expect(await it.cluster.client.chat("/sim tool=look input={}", THREAD)).toMatchObject({ status: 200 });

  const [result, picture] = lastAsked(it.tap).slice(-2);
  expect(result).toMatchObject({ is_error: true, content: [{ type: "text", text: "no such button" }] });
  expect(picture).toMatchObject(IMAGE);
});

test("a picture that was deleted is said to be gone", async () => {
  await using it = await start();
  const { client, engine } = it.cluster;
  await client.chat("/sim tool=look input={}", THREAD);
  const [, { source }] = (await storedResult(it.cluster)) as [Block, { source: { file_id: string } }];
  await engine.files.remove(source.file_id);

  expect(await client.chat("/sim tokens=2", THREAD)).toMatchObject({ status: 200 });

  expect(JSON.stringify(lastAsked(it.tap))).toContain("A file that stood here was deleted.");
});

const refusal = () =>
  Response.json(
    { type: "error", error: { type: "invalid_request_error", message: "Could not process image" } },
    { status: 400 },
  );

test("a picture that the API cannot read after all is left out, and the run goes on", async () => {
  await using it = await start();
  const { client } = it.cluster;
  it.tap.answer = (asked) => (JSON.stringify(asked).includes('"type":"image"') ? refusal() : undefined);

  expect(await client.chat("/sim tool=look input={}", THREAD)).toMatchObject({ status: 200 });
  expect(JSON.stringify(lastAsked(it.tap))).toContain("(A picture that the model could not read.)");
  expect(await client.chat("/sim tokens=2", THREAD)).toMatchObject({ status: 200 });

  const image = { type: "image", source: IMAGE.source };
  const own = await client.chat([{ type: "text", text: "/sim tokens=1" }, image], THREAD);
  expect(own).toMatchObject({ status: 502, body: { code: "MODEL_REJECTED" } });
  expect(await client.chat("/sim tokens=2", THREAD)).toMatchObject({ status: 200 });
});
