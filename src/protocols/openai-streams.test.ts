/** What the published OpenAI client makes of our streams, for recorded journals of every kind. */
import OpenAI from "openai";
import { expect, test } from "vitest";
import { recordedJournals } from "../testing/journals.ts";
import { textIn } from "../testing/journal.ts";
import type { StoredEvent, StreamEncoder } from "./encoder.ts";
import { ChatCompletionStream } from "./openai-chat-stream.ts";
import { ResponseStream } from "./openai-response-stream.ts";

const journals = recordedJournals();

/** A client that gets this stream, whatever it asks. */
function clientOf(events: readonly StoredEvent[], encoder: StreamEncoder): OpenAI {
  const body = events.map((event) => encoder.encode(event)).join("");
  const headers = { "content-type": "text/event-stream" };
  return new OpenAI({ apiKey: "none", fetch: () => Promise.resolve(new Response(body, { headers })) });
}

function voidedIn(events: readonly StoredEvent[]): string[] {
  return events.flatMap((event) =>
    event.type === "CUSTOM" && event.name === "evenkeel.attempt" ? (event.value as { void: string[] }).void : [],
  );
}

/** Whether text was sent that an attempt made void. */
function takesTextBack(events: readonly StoredEvent[]): boolean {
  const voided = voidedIn(events);
  return events.some((event) => event.type === "TEXT_MESSAGE_CONTENT" && voided.includes(event.messageId));
}

/** What the client has to end with: the error that it throws, or the text. */
function endOf(events: readonly StoredEvent[]): { readonly error: string } | { readonly text: string } {
  const end = events.at(-1);
  if (takesTextBack(events)) return { error: "what was sent so far does not count." };
  if (end?.type === "RUN_ERROR") return { error: end.message };
  if (end?.type === "RUN_FINISHED" && end.outcome?.type === "cancelled") return { error: "The run was canceled." };
  return { text: withoutParagraphs(textIn(events as never)) };
}

function withoutParagraphs(text: string): string {
  return text.replaceAll("\n\n", "");
}

test.each([...journals.keys()])(
  "a chat completion of the journal %s has its text, or why it has none",
  async (name) => {
    const events = journals.get(name) ?? [];
    const openai = clientOf(events, new ChatCompletionStream({ model: "m", includeUsage: true }));
    const completion = openai.chat.completions.stream({ model: "m", messages: [] }).finalChatCompletion();
    const got = await completion.then(
      ({ choices }) => ({ text: withoutParagraphs(choices[0]?.message.content ?? "") }),
      (error: Error) => ({ error: error.message.replace(/^The answer broke off.*; /, "") }),
    );
    expect(got).toEqual(endOf(events));
  },
);

test.each([...journals.keys()])("a response of the journal %s has its text and its end", async (name) => {
  const events = journals.get(name) ?? [];
  const options = { model: "m", previousResponseId: null, background: false, metadata: {}, startingAfter: -1 };
  const openai = clientOf(events, new ResponseStream(options));
  const numbers: number[] = [];
  let last: OpenAI.Responses.Response | undefined;
  for await (const event of openai.responses.stream({ model: "m", input: "" })) {
    numbers.push(event.sequence_number);
    if ("response" in event) last = event.response;
  }
  expect(numbers).toEqual(numbers.map((_, index) => index));
  const texts = (last?.output ?? []).flatMap((item) => (item.type === "message" ? item.content : []));
  expect(texts.map((part) => ("text" in part ? part.text : "")).join("")).toBe(textIn(events as never));
  const end = events.at(-1);
  const expected = end?.type === "RUN_ERROR" ? ["failed"] : ["completed", "incomplete", "cancelled"];
  expect(expected).toContain(last?.status);
  expect(last?.error?.message).toBe(end?.type === "RUN_ERROR" ? end.message : undefined);
});
