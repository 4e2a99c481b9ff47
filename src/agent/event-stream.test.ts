import { APIError } from "@anthropic-ai/sdk";
import { expect, test } from "vitest";
import { openFixture } from "../simulator/fixture.ts";
import { readEvents } from "./event-stream.ts";
import { modelFailure } from "./model-error.ts";

async function failureOf(body: string): Promise<unknown> {
  return readEvents(new Response(body), () => {}).catch((error: unknown) => error);
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

  await readEvents(new Response(`${body}event: message_stop\n\ndata: [DONE]\n\n`), (event) => seen.push(event));

  expect(seen).toEqual([{ type: "message_stop" }]);
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

  await expect(readEvents(new Response(endless), () => {})).rejects.toThrow("an event of more than");

  expect(sent).toBeLessThan(20 * 1024 * 1024);
});

test("whoever throws at an event closes the connection", async () => {
  await using fixture = await openFixture();
  const response = await fixture.post({ messages: [{ role: "user", content: "/sim tokens=100000 rate=100" }] });
  const trouble = new Error("trouble");

  const reading = readEvents(response, () => {
    throw trouble;
  });

  await expect(reading).rejects.toBe(trouble);
  expect(await fixture.lastClosed()).toMatchObject({ ended: "aborted" });
});
