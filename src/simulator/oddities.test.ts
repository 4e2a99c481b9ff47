/** Words of the /sim line for unusual answers: odd stop reasons, odd ids, odd arguments, no stream at all. */
import type { Anthropic } from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { deltas, type Fixture, openFixture } from "./fixture.ts";
import { PIXEL } from "../testing/pictures.ts";

const CALCULATE = {
  name: "calculate",
  input_schema: { type: "object" as const, properties: { expression: { type: "string" } }, required: ["expression"] },
};

const says = (content: string): Anthropic.MessageParam => ({ role: "user", content });

const ask = (sim: Fixture, ...messages: Anthropic.MessageParam[]): Promise<Anthropic.Message> =>
  sim.client.messages.stream({ model: "m", max_tokens: 10_000, messages, tools: [CALCULATE] }).finalMessage();

const textOf = ({ content }: Anthropic.Message): string =>
  content.map((block) => (block.type === "text" ? block.text : "")).join("");

test.each(["refusal", "stop_sequence", "model_context_window_exceeded", "max_tokens"] as const)(
  "stop=%s ends the answer with that reason",
  async (reason) => {
    await using sim = await openFixture();
    expect(await ask(sim, says(`/sim tokens=2 stop=${reason}`))).toMatchObject({
      content: [{ text: "tok1 tok2" }],
      stop_reason: reason,
    });
  },
);

test("stop=max_tokens cuts the last call in the middle of its arguments", async () => {
  await using sim = await openFixture();
  const events = await sim.events('/sim tool=calculate input={"expression":"1+1"} stop=max_tokens');

  expect(deltas(events, "partial_json").join("")).toBe('{"expressi');
  expect(events.at(-2)?.data.delta).toMatchObject({ stop_reason: "max_tokens" });
});

test("stop= with times= strikes so many answers to the same message", async () => {
  await using sim = await openFixture();
  const message = says("/sim tokens=1 stop=max_tokens times=1");

  const first = await ask(sim, message);
  const second = await ask(sim, message, { role: "assistant", content: first.content }, says("Go on."), {
    role: "assistant",
    content: "Yes.",
  });

  expect([first.stop_reason, second.stop_reason]).toEqual(["max_tokens", "end_turn"]);
});

test("an answer that thinks and is cut off has only its thinking", async () => {
  await using sim = await openFixture();

  const { content } = await ask(sim, says("/sim thinking=3 tokens=0 stop=max_tokens"));

  expect(content).toEqual([
    { type: "thinking", thinking: "thought1 thought2 thought3", signature: expect.stringMatching(/./) },
  ]);
});

test("its own thinking is taken back, unsigned thinking is refused", async () => {
  await using sim = await openFixture();
  const goOn = async (words: string) => {
    const { content } = await ask(sim, says(`/sim thinking=2 tokens=1 ${words}`));
    return ask(sim, says("hi"), { role: "assistant", content }, says("again"));
  };

  expect(textOf(await goOn(""))).toContain("again");
  await expect(goOn("unsigned")).rejects.toThrow("thinking.signature: Field required");
});

test("a server tool is called and answered in one answer", async () => {
  await using sim = await openFixture();

  const { content, stop_reason: reason } = await ask(sim, says("/sim tokens=1 server_tool=web_search\nfind it"));

  expect(content).toMatchObject([
    { type: "server_tool_use", name: "web_search", input: { query: "find it" } },
    { type: "web_search_tool_result", content: [{ type: "web_search_result" }] },
    { type: "text", text: "tok1" },
  ]);
  const [call, result] = content as unknown as { id: string; tool_use_id: string }[];
  expect(result?.tool_use_id).toBe(call?.id);
  expect(reason).toBe("end_turn");
});

test("stop=pause_turn pauses before the result of a server tool, which comes when the answer is sent back", async () => {
  await using sim = await openFixture();
  const message = says("/sim tokens=1 server_tool=code_execution stop=pause_turn");

  const paused = await ask(sim, message);
  const rest = await ask(sim, message, { role: "assistant", content: paused.content });

  expect(paused).toMatchObject({ content: [{ type: "server_tool_use" }], stop_reason: "pause_turn" });
  expect(rest).toMatchObject({
    content: [{ type: "code_execution_tool_result" }, { type: "text", text: "tok1" }],
    stop_reason: "end_turn",
  });
});

test("usage=none leaves usage out of every event", async () => {
  await using sim = await openFixture();
  const events = await sim.events("/sim tokens=1 usage=none");
  expect(JSON.stringify(events)).not.toContain("usage");
});

test("ids=same gives all calls one id, ids=odd ids that the API would not take back", async () => {
  await using sim = await openFixture();
  const idsOf = async (words: string) => {
    const { content } = await ask(sim, says(`/sim ${words}`));
    return content.flatMap((block) => (block.type === "tool_use" ? [block.id] : []));
  };

  expect(await idsOf("ids=same tokens=0 tool=calculate tool=calculate")).toEqual(["toolu_same", "toolu_same"]);
  expect(await idsOf("ids=odd tokens=0 tool=calculate tool=calculate")).toEqual([
    "functions.calculate:0",
    "functions.calculate:1",
  ]);
});

test.each(["null", "[]", '"6*7"', "7", '{"expression":'])("args=%s is sent as it is", async (args) => {
  await using sim = await openFixture();
  const events = await sim.events(`/sim tool="cal culate" args=${args}`);

  expect(deltas(events, "partial_json").join("")).toBe(args);
  expect(JSON.stringify(events)).toContain('"name":"cal culate"');
});

test("text= is sent delta by delta, halves of a surrogate pair and blank text too", async () => {
  await using sim = await openFixture();
  expect(deltas(await sim.events(String.raw`/sim text=["a\ud83d","\ude00 b"]`), "text")).toEqual([
    "a\ud83d",
    "\ude00 b",
  ]);
  expect(deltas(await sim.events(String.raw`/sim text="\n\n"`), "text")).toEqual(["\n\n"]);
});

test("html is a web page with status 200, plain the whole message as JSON", async () => {
  await using sim = await openFixture();
  const post = (words: string) => sim.post({ messages: [says(`/sim tokens=1 ${words}`)] });

  const page = await post("html");
  const whole = await post("plain");

  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(await page.text()).toContain("<!doctype html>");
  expect([whole.status, whole.headers.get("content-type")]).toEqual([200, "application/json"]);
  expect(await whole.json()).toMatchObject({ type: "message", content: [{ text: "tok1" }], stop_reason: "end_turn" });
});

test("silent= holds the answer back after its first delta, and then all of it comes", async () => {
  await using sim = await openFixture();
  const started = performance.now();

  const events = await sim.events("/sim tokens=3 silent=0.2");

  expect(performance.now() - started).toBeGreaterThanOrEqual(199);
  expect(deltas(events, "text")).toEqual(["tok1", " tok2", " tok3"]);
  expect(events.filter(({ event }) => event === "ping")).toHaveLength(1);
});

test("silent= with pings sends nothing else meanwhile", async () => {
  await using sim = await openFixture();

  const events = await sim.events("/sim tokens=2 silent=0.2 pings=20");

  const names = events.map(({ event }) => event);
  const pings = names.slice(names.indexOf("content_block_delta") + 1, names.lastIndexOf("content_block_delta"));
  expect(pings).toEqual(Array.from({ length: 9 }, () => "ping"));
});

test("pictures and documents are seen", async () => {
  await using sim = await openFixture();
  const content: Anthropic.ContentBlockParam[] = [
    { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } },
    { type: "document", source: { type: "url", url: "https://example.org/a.pdf" } },
    { type: "document", source: { type: "text", media_type: "text/plain", data: "words" } },
  ];

  expect(textOf(await ask(sim, { role: "user", content }))).toContain("You sent 1 picture and 2 documents.");
});

test("tool_choice forces a call: of any tool, or of the one it names", async () => {
  await using sim = await openFixture();
  const call = (choice: Anthropic.ToolChoice) =>
    sim.client.messages.create({
      model: "m",
      max_tokens: 100,
      messages: [says("hello")],
      tools: [{ ...CALCULATE, name: "other" }, CALCULATE],
      tool_choice: choice,
    });

  expect((await call({ type: "any" })).content.at(-1)).toMatchObject({ type: "tool_use", name: "other" });
  expect((await call({ type: "tool", name: "calculate" })).content.at(-1)).toMatchObject({ name: "calculate" });
  expect((await call({ type: "none" })).stop_reason).toBe("end_turn");
});
