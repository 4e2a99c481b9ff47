/** What the published AG-UI client makes of our streams: its verifier refuses what breaks the protocol. */
import { HttpAgent, type Message } from "@ag-ui/client";
import { afterEach, expect, test, vi } from "vitest";
import { recordedJournals } from "../testing/journals.ts";
import { AgUiStream, type AgUiStreamOptions } from "./ag-ui-stream.ts";
import type { StoredEvent } from "./encoder.ts";

afterEach(() => void vi.restoreAllMocks());

interface Read {
  readonly messages: readonly Message[];
  /** Of RUN_ERROR. */
  readonly error: string | undefined;
  readonly warnings: readonly unknown[];
}

/** Runs the client over a journal. Rejects when the client refuses an event. */
async function read(events: readonly StoredEvent[], options: Partial<AgUiStreamOptions> = {}): Promise<Read> {
  const warnings: unknown[] = [];
  vi.spyOn(console, "warn").mockImplementation((...words) => void warnings.push(words));
  const encoder = new AgUiStream({ messages: Buffer.from("[]"), after: 0, ...options });
  const body = events.map((event) => encoder.encode(event)).join("");
  const agent = new HttpAgent({
    url: "http://127.0.0.1/",
    fetch: () => Promise.resolve(new Response(body, { headers: { "content-type": "text/event-stream" } })),
  });
  let error: string | undefined;
  await agent.runAgent({}, { onRunErrorEvent: ({ event }) => void (error = event.message) });
  return { messages: agent.messages, error, warnings };
}

/** The client copies an event's metadata, which has the seq, into messages and tool calls. */
function withoutPosition(message: Message): unknown {
  return JSON.parse(JSON.stringify(message, (key, value: unknown) => (key === "metadata" ? undefined : value)));
}

const journals = recordedJournals();
const journal = (name: string) => journals.get(name) ?? [];

test.each([...journals.keys()])("the verifier passes over the journal %s, without a warning", async (name) => {
  const { error, warnings } = await read(journal(name));
  expect(warnings).toEqual([]);
  const end = journal(name).at(-1);
  expect(error).toBe(end?.type === "RUN_ERROR" ? end.message : undefined);
});

test.each([...journals.keys()])("resumed after any position the client has the same messages (%s)", async (name) => {
  const whole = await read(journal(name));
  for (let after = 1; after < journal(name).length; after += 1) {
    const resumed = await read(journal(name), { after });
    expect(resumed.messages.map(withoutPosition)).toEqual(whole.messages.map(withoutPosition));
    expect(resumed.warnings).toEqual([]);
  }
});

test("the client has a tool's picture as a part of its message", async () => {
  const { messages } = await read(journal("picture"));
  const [content] = messages.flatMap((message) => (message.role === "tool" ? [message.content] : []));
  expect(content).toEqual([
    { type: "text", text: expect.any(String) },
    { type: "image", source: { type: "url", value: "/api/files/file_1" } },
  ]);
});

test.each(["cut", "retry", "crash"])("what an attempt made void leaves the client's messages (%s)", async (name) => {
  const voided = journal(name).flatMap((event) =>
    event.type === "CUSTOM" && event.name === "evenkeel.attempt" ? (event.value as { void: string[] }).void : [],
  );
  const { messages } = await read(journal(name));
  expect(messages.map(({ id }) => id).filter((id) => voided.includes(id))).toEqual([]);
  expect(messages.length).toBeGreaterThan(0);
});

function call(seq: number, delta: string): StoredEvent[] {
  return [
    { seq, timestamp: 1, type: "TOOL_CALL_START", toolCallId: "same", toolCallName: "add" },
    { seq: seq + 1, timestamp: 1, type: "TOOL_CALL_ARGS", toolCallId: "same", delta },
    { seq: seq + 2, timestamp: 1, type: "TOOL_CALL_END", toolCallId: "same" },
  ];
}

function result(seq: number, content: string): StoredEvent[] {
  return [
    { seq, timestamp: 1, type: "TOOL_CALL_RESULT", toolCallId: "same", messageId: `m${seq}`, content, role: "tool" },
    { seq: seq + 1, timestamp: 1, type: "STEP_FINISHED", stepName: "tool:add:same" },
  ];
}

test("two calls with one id are two calls, each with its own result", async () => {
  const { messages } = await read([
    { seq: 1, timestamp: 1, type: "RUN_STARTED", threadId: "t", runId: "r" },
    ...call(2, '{"a":1}'),
    ...call(5, '{"a":2}'),
    { seq: 8, timestamp: 1, type: "STEP_STARTED", stepName: "tool:add:same" },
    { seq: 9, timestamp: 1, type: "STEP_STARTED", stepName: "tool:add:same" },
    ...result(10, "one"),
    ...result(12, "two"),
    { seq: 14, timestamp: 1, type: "RUN_FINISHED", threadId: "t", runId: "r", outcome: { type: "success" } },
  ]);
  const calls = messages.flatMap((message) => (message.role === "assistant" ? (message.toolCalls ?? []) : []));
  const results = messages.flatMap((message) =>
    message.role === "tool" ? [[message.toolCallId, message.content]] : [],
  );
  expect(calls.map(({ id, function: { arguments: json } }) => [id, json])).toEqual([
    ["same", '{"a":1}'],
    ["same#2", '{"a":2}'],
  ]);
  expect(results).toEqual([
    ["same", "one"],
    ["same#2", "two"],
  ]);
});
