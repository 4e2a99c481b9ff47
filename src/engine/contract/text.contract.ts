/** Texts that come from outside: of people, models, tools and errors. A storage has no say in what stands in them. */
import { expect, test } from "vitest";
import type { Message } from "../../core/message.ts";
import type { ToolCall } from "../engine.ts";
import { delta, enqueue, journalOf, start, stepOf, threadOf, type OpenEngine } from "./setup.ts";

export function testText(open: OpenEngine): void {
  test.each([
    ["U+0000", "no \u0000 text"],
    ["the first half of a surrogate pair", "no \ud83d text"],
    ["the second half of a surrogate pair", "no \udca9 text"],
    ["the escape of U+0000", "\\u0000 and \u001a0"],
    ["the JSON of an error", '{"code":"MODEL_REJECTED"'],
  ])("a text with %s comes back wherever it was put, and its thread goes on", async (_what, text) => {
    await using data = await open();
    const { engine } = data;
    const said: Message = { role: "assistant", content: text };
    const call: ToolCall = {
      stepsBefore: 0,
      toolCallId: "call_1",
      name: "clock",
      effects: "pure",
      result: { content: text, isError: true },
    };
    const error = { code: "MODEL_UNAVAILABLE", detail: text } as const;
    const first = await start(engine, { threadId: "thread", message: text, metadata: { note: text } });
    await engine.append(stepOf(first, { events: [delta(text)], messages: [said], toolCalls: [call] }));
    await engine.settle(stepOf(first), { status: "failed", error });
    await engine.post({ type: "notice", detail: { text } });

    const before: Message[] = [{ role: "user", content: text }];
    const second = await enqueue(engine, { threadId: "thread", message: "hello", before });

    expect(await engine.run(first.run.run_id)).toMatchObject({ metadata: { note: text }, error });
    expect(await journalOf(engine, first.run.run_id)).toContainEqual(expect.objectContaining({ delta: text }));
    expect((await engine.history(second.run_id))[0]).toMatchObject({
      errorCode: "MODEL_UNAVAILABLE",
      messages: [{ content: text }, { content: text }],
      toolCalls: [call],
    });
    const thread = await threadOf(engine, "thread");
    expect(thread?.messages.slice(0, 2).map(({ content }) => content)).toEqual([text, text]);
    const { items } = await engine.activities({ limit: 1, type: "notice" });
    expect(items[0]?.detail).toEqual({ text });
  });
}
