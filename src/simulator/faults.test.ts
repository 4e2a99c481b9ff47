/** Each word of the /sim line that slows or breaks an answer, seen from the other end of the socket. */
import { type Anthropic, APIError, BadRequestError } from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { deltas, type Fixture, openFixture } from "./fixture.ts";

const streamOf = (sim: Fixture, content: string): ReturnType<Anthropic["messages"]["stream"]> =>
  sim.client.messages.stream({ model: "m", max_tokens: 10_000, messages: [{ role: "user", content }] });

/** The error of a failed call. Throws when the call succeeds. */
const errorOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => Promise.reject(new Error("expected the call to fail")),
    (error: unknown) => error,
  );

test("tokens=N sends exactly N text deltas and reports N output tokens", async () => {
  await using sim = await openFixture();
  const events = await sim.events("/sim tokens=500");
  expect(deltas(events, "text")).toHaveLength(500);
  expect(events.at(-2)?.data["usage"]).toEqual({ output_tokens: 500 });
});

test("tokens=0 is an answer without content", async () => {
  await using sim = await openFixture();
  expect((await streamOf(sim, "/sim tokens=0").finalMessage()).content).toEqual([]);
});

test("rate= spreads the tokens over time", async () => {
  await using sim = await openFixture();
  const started = performance.now();
  await sim.events("/sim tokens=21 rate=100");
  // Tokens 2 to 21 are due 10 ms after each other. A busy machine can delay them, but nothing can make them earlier.
  expect(performance.now() - started).toBeGreaterThanOrEqual(199);
});

test("ttft= holds the first token back, not the start of the message", async () => {
  await using sim = await openFixture();
  using stream = sim.dial("/sim tokens=1 ttft=150");
  await stream.until("ping");
  const started = performance.now();
  expect(stream.received).not.toContain("text_delta");
  await stream.until("text_delta");
  expect(performance.now() - started).toBeGreaterThan(100);
});

test("thinking=N sends N thinking deltas and a signature before the text", async () => {
  await using sim = await openFixture();
  const events = await sim.events("/sim thinking=3 tokens=1");
  expect(deltas(events, "type")).toEqual([
    "thinking_delta",
    "thinking_delta",
    "thinking_delta",
    "signature_delta",
    "text_delta",
  ]);
});

test("stall leaves the connection open and silent after the first delta", async () => {
  await using sim = await openFixture();
  using stream = sim.dial("/sim tokens=5 stall");
  await stream.until("tok1");
  await sim.events("/sim tokens=2000");
  expect(stream.received).not.toContain("tok2");
  expect(sim.simulator.stats()).toMatchObject({ active: 1, recent: [{ ended: null, closed_at: null }, {}] });
});

test("cut ends the response cleanly without message_stop, so the SDK must not call it complete", async () => {
  await using sim = await openFixture();
  const events = await sim.events("/sim tokens=10 cut");
  expect(deltas(events, "text")).toHaveLength(5);
  expect(events.at(-1)?.event).toBe("content_block_delta");
  await expect(streamOf(sim, "/sim tokens=10 cut").finalMessage()).rejects.toThrow("without producing a Message");
  expect(await sim.lastClosed()).toMatchObject({ status: 200, ended: "cut" });
});

test("cut with tool= falls inside the JSON of the last call", async () => {
  await using sim = await openFixture();
  const events = await sim.events('/sim cut tool=a input={"x":1} tool=b input={"key":"some longer value"}');
  const json = deltas(events, "partial_json").join("");
  expect(json.startsWith('{"x":1}{"key":')).toBe(true);
  expect(json.endsWith("}")).toBe(false);
  expect(events.at(-1)?.event).toBe("content_block_delta");
});

test("reset destroys the socket after the first delta", async () => {
  await using sim = await openFixture();
  using stream = sim.dial("/sim tokens=5 reset");
  expect(await stream.closed()).toBe("ECONNRESET");
  expect(stream.received).toContain("tok1");
  expect(stream.received).not.toContain("tok2");
  expect(await sim.lastClosed()).toMatchObject({ ended: "reset" });
});

test("error=TYPE arrives in-band after the first delta, and ends the response", async () => {
  await using sim = await openFixture();
  const events = await sim.events("/sim tokens=5 error=overloaded_error");
  expect(deltas(events, "text")).toEqual(["tok1"]);
  expect(events.at(-1)).toMatchObject({ event: "error", data: { error: { type: "overloaded_error" } } });
  const error = await errorOf(streamOf(sim, "/sim error=overloaded_error").finalMessage());
  expect(error).toMatchObject({ type: "overloaded_error", status: undefined });
});

test("badjson sends a line that is no JSON", async () => {
  await using sim = await openFixture();
  await expect(streamOf(sim, "/sim tokens=5 badjson").finalMessage()).rejects.toThrow("JSON");
});

test("bigline=N sends one delta of N bytes and goes on", async () => {
  await using sim = await openFixture();
  const pieces = deltas(await sim.events("/sim tokens=2 bigline=10000000"), "text");
  expect(pieces.map((piece) => String(piece).length)).toEqual([4, 10_000_000, 5]);
});

test("drip writes the body one byte at a time, and it is still the same answer", async () => {
  await using sim = await openFixture();
  using stream = sim.dial("/sim tokens=2 drip");
  await stream.closed();
  const body = stream.received.slice(stream.received.indexOf("\r\n\r\n") + 4);
  expect(body).toMatch(/^(1\r\n[^]\r\n)+0\r\n\r\n$/);
  expect(textOf(await streamOf(sim, "/sim drip\n☃ snow").finalMessage())).toContain("“☃ snow”");
});

const textOf = (message: Anthropic.Message): string =>
  message.content.map((block) => (block.type === "text" ? block.text : "")).join("");

test("status= with times= and retry_after= refuses that often and then answers", async () => {
  await using sim = await openFixture();
  const content = "/sim tokens=1 status=529 times=2 retry_after=1";
  for (const attempt of [1, 2]) {
    const error = await errorOf(streamOf(sim, content).finalMessage());
    expect(error, `attempt ${attempt}`).toMatchObject({ status: 529, type: "overloaded_error" });
    expect(error instanceof APIError && error.headers?.get("retry-after")).toBe("1");
  }
  expect(textOf(await streamOf(sim, content).finalMessage())).toBe("tok1");
  expect(sim.simulator.stats()).toMatchObject({ requests: 3, statuses: { 529: 2, 200: 1 } });
});

test.each([
  [400, "invalid_request_error"],
  [401, "authentication_error"],
  [403, "permission_error"],
  [404, "not_found_error"],
  [429, "rate_limit_error"],
  [500, "api_error"],
  [529, "overloaded_error"],
])("status=%i answers with %s, every time", async (status, type) => {
  await using sim = await openFixture();
  for (const attempt of [1, 2]) {
    const response = await sim.post({ messages: [{ role: "user", content: `/sim status=${status}` }] });
    expect(response.status, `attempt ${attempt}`).toBe(status);
    expect(await response.json()).toMatchObject({ type: "error", error: { type } });
  }
});

test.each(["cut", "reset", "error=api_error", "badjson"])("%s with times=1 lets a retry succeed", async (fault) => {
  await using sim = await openFixture();
  const content = `/sim tokens=4 times=1 ${fault}`;
  await errorOf(streamOf(sim, content).finalMessage());
  expect(textOf(await streamOf(sim, content).finalMessage())).toBe("tok1 tok2 tok3 tok4");
});

test("stall with times=1 lets a retry succeed", async () => {
  await using sim = await openFixture();
  using stalled = sim.dial("/sim tokens=4 times=1 stall");
  await stalled.until("tok1");
  expect(deltas(await sim.events("/sim tokens=4 times=1 stall"), "text")).toHaveLength(4);
});

test("times= counts each step of a conversation by itself", async () => {
  await using sim = await openFixture();
  const first = [{ role: "user", content: "/sim status=500 times=1" }];
  const later = [...first, { role: "assistant", content: "ok" }, ...first];
  const status = async (messages: object[]): Promise<number> => (await sim.post({ messages })).status;
  expect([await status(first), await status(later), await status(first), await status(later)]).toEqual([
    500, 500, 200, 200,
  ]);
});

test("faults strike answers without stream as well", async () => {
  await using sim = await openFixture();
  const post = (word: string): Promise<Response> =>
    sim.post({ stream: false, messages: [{ role: "user", content: `/sim tokens=9 ${word}` }] });
  expect((await post("error=api_error")).status).toBe(500);
  await expect((await post("cut")).json()).rejects.toThrow("JSON");
  await expect(post("reset").then((response) => response.text())).rejects.toThrow(/./);
});

test("a bad word is refused by name, with the words that are allowed", async () => {
  await using sim = await openFixture();
  const call = streamOf(sim, "/sim tokens=5 stal").finalMessage();
  await expect(call).rejects.toThrow(BadRequestError);
  await expect(call).rejects.toThrow(/does not know \\?"stal\\?".*tokens=N.*stall/);
});
