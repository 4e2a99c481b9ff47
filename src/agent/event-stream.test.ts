import { expect, test } from "vitest";
import { openFixture } from "../simulator/fixture.ts";
import { streamed } from "../testing/streamed.ts";
import { readEvents, type Listener } from "./event-stream.ts";
import { APIError } from "./sdk.ts";
import { modelFailure, WrongEndpoint } from "./model-error.ts";

const STREAM = { headers: { "content-type": "text/event-stream; charset=utf-8" } };

function read(response: Response, listener: Partial<Listener> = {}): Promise<void> {
  return readEvents(streamed(response), { onSign: () => {}, onEvent: () => {}, ...listener });
}

async function failureOf(body: string, init: ResponseInit = STREAM): Promise<unknown> {
  return read(new Response(body, init)).catch((error: unknown) => error);
}

test("what the API says in an error event is an API error of that type", async () => {
  const body = 'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error","message":"slower"}}\n\n';

  const failure = await failureOf(body);

  expect(failure).toBeInstanceOf(APIError);
  expect(modelFailure(failure)).toMatchObject({ retryable: true, rateLimited: true });
});

test.each(["upstream went away", '"gone"', "null", ""])(
  "an error event with %j, from something in between, is worth another try",
  async (data) => {
    const failure = await failureOf(`event: error\ndata: ${data}\n\n`);

    expect(modelFailure(failure)).toMatchObject({ code: "MODEL_UNAVAILABLE", retryable: true });
    expect(modelFailure(failure)?.reason).not.toContain("{");
  },
);

test("what a gateway says on its own is no event of the API", async () => {
  const seen: unknown[] = [];
  const body =
    'data: {"type":"alive"}\n\nevent: ping\ndata: {"type":"ping"}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n';

  await read(new Response(`${body}event: message_stop\n\ndata: [DONE]\n\n`, STREAM), {
    onEvent: (event) => seen.push(event),
  });

  expect(seen).toEqual([{ type: "message_stop" }]);
});

test("a ping, or half an event, is a sign of life and no event", async () => {
  const seen: string[] = [];

  await read(new Response('event: ping\ndata: {"type":"ping"}\n\nevent: mess', STREAM), {
    onSign: () => seen.push("sign"),
    onEvent: () => seen.push("event"),
  });

  expect(seen).toEqual(["sign"]);
});

const HTML = { "content-type": "text/html" };
const JSON_TYPE = { "content-type": "application/json" };

test.each([
  { what: "a web page", body: "<!doctype html><title>Sign in</title>", headers: HTML, words: "a web page (“Sign in”)" },
  { what: "JSON", body: '{"id":"msg_1"}', headers: JSON_TYPE, words: 'JSON (“{"id":"msg_1"}”)' },
  { what: "nothing", body: "", headers: JSON_TYPE, words: "nothing" },
  { what: "a web page without a type", body: "\n <html>", headers: {}, words: "a web page" },
  { what: "JSON as text", body: '{"ok":true}', headers: { "content-type": "text/plain" }, words: "JSON" },
])("$what where a stream was due is named, and not asked for again", async ({ body, headers, words }) => {
  const failure = await failureOf(body, { headers });

  expect(failure).toBeInstanceOf(WrongEndpoint);
  expect(modelFailure(failure)).toMatchObject({ code: "MODEL_REJECTED", retryable: false });
  expect(modelFailure(failure)?.reason).toContain(`an event stream was due, and what came is ${words}`);
});

test("a stream is read whatever type a gateway gives it", async () => {
  const seen: unknown[] = [];
  const body = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

  await read(new Response(body, { headers: { "content-type": "application/octet-stream" } }), {
    onEvent: (event) => seen.push(event),
  });

  expect(seen).toHaveLength(1);
});

test("an event that never ends is given up, not kept", async () => {
  const chunk = new TextEncoder().encode("x".repeat(1024 * 1024));
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode("event: content_block_delta\ndata: ")),
    pull: (controller) => {
      sent += chunk.length;
      controller.enqueue(chunk);
    },
  });

  await expect(read(new Response(endless, STREAM))).rejects.toThrow("an event of more than");

  expect(sent).toBeLessThan(20 * 1024 * 1024);
});

test("whoever throws at an event closes the connection", async () => {
  await using fixture = await openFixture();
  const response = await fixture.post({ messages: [{ role: "user", content: "/sim tokens=100000 rate=100" }] });
  const trouble = new Error("trouble");

  const reading = read(response, {
    onEvent: () => {
      throw trouble;
    },
  });

  await expect(reading).rejects.toBe(trouble);
  expect(await fixture.lastClosed()).toMatchObject({ ended: "aborted" });
});
