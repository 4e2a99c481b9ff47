/** How long a client waits for a reply, and what it gets meanwhile. */
import type { ServerResponse } from "node:http";
import { EventEmitter } from "node:events";
import { afterEach, expect, test, vi } from "vitest";
import { startCluster } from "../testing/cluster.ts";
import { readAll } from "../testing/sse.ts";
import { KeepAliveReply } from "./keep-alive-reply.ts";

afterEach(() => void vi.useRealTimers());

test("who waits for some seconds is told after them where to poll, and the run goes on", async () => {
  await using cluster = await startCluster({ runner: false });

  const { status, headers, body } = await cluster.client.chat("/sim tokens=3", {}, { Prefer: "wait=1" });
  await cluster.startRunner();
  await readAll(await cluster.client.follow(body.run_id));

  expect([status, headers.get("preference-applied")]).toEqual([202, "wait=1"]);
  expect(body).toEqual({ task_id: body.run_id, run_id: body.run_id, thread_id: body.thread_id, status: "pending" });
  const task = await cluster.client.get(headers.get("location") ?? "");
  expect(task.body).toMatchObject({ status: "completed", result: { reply: "tok1 tok2 tok3" } });
});

test.each([
  ["/sim tokens=3", 200],
  ["/sim status=400", 502],
])("who waits for some seconds is told the truth when the run is over before: %s is %i", async (message, expected) => {
  await using cluster = await startCluster();

  const { status } = await cluster.client.chat(message, {}, { Prefer: "respond-async, wait=20" });

  expect(status).toBe(expected);
});

/** A response that records what is written. */
function fakeResponse() {
  const written: string[] = [];
  const heads: number[] = [];
  const fake = Object.assign(new EventEmitter(), {
    headersSent: false,
    destroyed: false,
    ended: false,
    writeHead: (status: number) => {
      heads.push(status);
      fake.headersSent = true;
    },
    write: (text: string, then?: () => void) => {
      written.push(text);
      then?.();
    },
    end: (text: string) => {
      written.push(text);
      fake.ended = true;
    },
    destroy: () => (fake.destroyed = true),
  });
  return { fake, written, heads, response: fake as unknown as ServerResponse };
}

test("nothing is said for 25 s, and then a newline every 15 s, until the reply comes", () => {
  vi.useFakeTimers();
  const { fake, written, heads, response } = fakeResponse();
  const reply = new KeepAliveReply(response, { silent: false });

  vi.advanceTimersByTime(24_999);
  expect(heads).toEqual([]);
  vi.advanceTimersByTime(1 + 15_000);
  reply.send(200, "application/json", { reply: "done" });
  vi.advanceTimersByTime(60_000);

  expect(heads).toEqual([200]);
  expect(written.join("")).toBe('\n\n{"reply":"done"}');
  expect(fake.ended).toBe(true);
});

test("a failure before the first newline has its own status; a later one ends the body after its problem", () => {
  vi.useFakeTimers();
  const [early, late] = [fakeResponse(), fakeResponse()];
  const [first, second] = [early, late].map(({ response }) => new KeepAliveReply(response, { silent: false }));

  first?.send(502, "application/problem+json", { code: "MODEL_REJECTED" });
  vi.advanceTimersByTime(25_000);
  second?.send(502, "application/problem+json", { code: "MODEL_REJECTED" });

  expect([early.heads, early.fake.ended, early.fake.destroyed]).toEqual([[502], true, false]);
  expect([late.heads, late.fake.ended, late.fake.destroyed]).toEqual([[200], false, true]);
  expect(late.written.join("")).toBe('\n{"code":"MODEL_REJECTED"}');
});

test("HEAD of a stream that goes on ends at once, with the headers of the stream", async () => {
  await using cluster = await startCluster({ runner: false });
  const runId = await cluster.client.begin("hello");

  const { status, headers } = await cluster.client.ask(`/api/runs/${runId}/events`, {
    method: "HEAD",
    headers: { Accept: "text/event-stream" },
  });

  expect([status, headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
  expect(cluster.delivery.meter.viewers.size).toBe(0);
});
