/** What the AI SDK's own reader makes of our streams. */
import {
  parseJsonEventStream,
  readUIMessageStream,
  uiMessageChunkSchema,
  type UIMessage,
  type UIMessageChunk,
} from "ai";
import { expect, test } from "vitest";
import { recordedJournals } from "../testing/journals.ts";
import { AiSdkStream } from "./ai-sdk-stream.ts";
import type { StoredEvent } from "./encoder.ts";

interface Read {
  readonly message: UIMessage | undefined;
  readonly errors: readonly unknown[];
}

/** Reads a journal as the published client does, with its schema of each chunk. */
async function read(events: readonly StoredEvent[]): Promise<Read> {
  const encoder = new AiSdkStream();
  const bytes = new TextEncoder().encode(events.map((event) => encoder.encode(event)).join(""));
  const chunks = parseJsonEventStream<UIMessageChunk>({
    stream: new Blob([bytes]).stream(),
    schema: uiMessageChunkSchema,
  }).pipeThrough(
    new TransformStream({
      transform(chunk, controller: TransformStreamDefaultController<UIMessageChunk>) {
        if (!chunk.success) throw chunk.error;
        controller.enqueue(chunk.value);
      },
    }),
  );
  const errors: unknown[] = [];
  let message: UIMessage | undefined;
  for await (const next of readUIMessageStream({ stream: chunks, onError: (error) => errors.push(error) }))
    message = next;
  return { message, errors };
}

const journals = recordedJournals();

function partsOf({ message }: Read) {
  return (message?.parts ?? []).filter(({ type }) => type !== "step-start");
}

test.each([...journals.keys()])("the journal %s is a message stream that the client reads to its end", async (name) => {
  const result = await read(journals.get(name) ?? []);
  const failed = journals.get(name)?.at(-1)?.type === "RUN_ERROR";
  expect(result.errors.length).toBe(failed ? 1 : 0);
  expect(result.message?.metadata).toMatchObject({ run_id: result.message?.id });
  expect(partsOf(result).filter((part) => "state" in part && part.state?.includes("streaming"))).toEqual([]);
});

test("a tool call has its input and its output, and is not the client's to run", async () => {
  const [part] = partsOf(await read(journals.get("tool") ?? [])).filter(({ type }) => type === "dynamic-tool");
  expect(part).toMatchObject({
    state: "output-available",
    providerExecuted: true,
    output: expect.any(String) as string,
  });
  expect(part).toHaveProperty("input");
});

test("the output of a tool call with a picture is a list of parts", async () => {
  const [part] = partsOf(await read(journals.get("picture") ?? [])).filter(({ type }) => type === "dynamic-tool");
  const image = { type: "image", source: { type: "url", value: "/api/files/file_1" } };
  expect(part).toMatchObject({ state: "output-available", output: [{ type: "text" }, image] });
});

test("a page that a text cites is a source of the message", async () => {
  const events = (journals.get("picture") ?? []).flatMap((event): StoredEvent[] => {
    if (event.type !== "TEXT_MESSAGE_END") return [event];
    const value = { message_id: event.messageId, title: "A page", url: "https://example.org/" };
    const { seq, timestamp } = event;
    return [{ seq, timestamp, type: "CUSTOM", name: "evenkeel.citation", value }, event];
  });
  const [source] = partsOf(await read(events)).filter(({ type }) => type === "source-url");
  expect(source).toMatchObject({ url: "https://example.org/", title: "A page" });
});

test("a tool that failed with a picture is an output error that names it", async () => {
  const events = (journals.get("picture") ?? []).map((event) =>
    event.type === "TOOL_CALL_RESULT" ? { ...event, isError: true as const } : event,
  );
  const [part] = partsOf(await read(events)).filter(({ type }) => type === "dynamic-tool");
  expect(part).toMatchObject({ errorText: expect.stringMatching(/\n\[image \/api\/files\/file_1\]$/) as string });
});

function answer(seq: number, a: number): StoredEvent[] {
  return [
    { seq, timestamp: 1, type: "STEP_STARTED", stepName: "model" },
    { seq: seq + 1, timestamp: 1, type: "TOOL_CALL_START", toolCallId: "same", toolCallName: "add" },
    { seq: seq + 2, timestamp: 1, type: "TOOL_CALL_ARGS", toolCallId: "same", delta: `{"a":${a}}` },
    { seq: seq + 3, timestamp: 1, type: "TOOL_CALL_END", toolCallId: "same" },
    { seq: seq + 4, timestamp: 1, type: "STEP_FINISHED", stepName: "model" },
    { seq: seq + 5, timestamp: 1, type: "TOOL_CALL_RESULT", toolCallId: "same", messageId: `m${a}`, content: `${a}` },
  ];
}

test("calls of two answers with one id are two parts, each with its own input and output", async () => {
  const result = await read([
    { seq: 1, timestamp: 1, type: "RUN_STARTED", threadId: "t", runId: "r" },
    ...answer(2, 1),
    ...answer(8, 2),
    { seq: 14, timestamp: 1, type: "RUN_FINISHED", threadId: "t", runId: "r", outcome: { type: "success" } },
  ]);
  expect(partsOf(result)).toMatchObject([
    { input: { a: 1 }, output: "1" },
    { input: { a: 2 }, output: "2" },
  ]);
});

test("a tool that failed is an output error", async () => {
  const [part] = partsOf(await read(journals.get("toolerr") ?? [])).filter(({ type }) => type === "dynamic-tool");
  expect(part).toMatchObject({ state: "output-error", errorText: expect.any(String) as string });
});

test.each(["cut", "retry", "crash"])("what an attempt made void leaves the message (%s)", async (name) => {
  const events = journals.get(name) ?? [];
  const voided = events.flatMap((event) =>
    event.type === "CUSTOM" && event.name === "evenkeel.attempt" ? (event.value as { void: string[] }).void : [],
  );
  const kept = events
    .filter((event) => event.type === "TEXT_MESSAGE_CONTENT" && !voided.includes(event.messageId))
    .map((event) => (event as { delta: string }).delta)
    .join("");
  const text = partsOf(await read(events))
    .map((part) => (part.type === "text" ? part.text : ""))
    .join("");
  expect(text).toBe(kept);
});
