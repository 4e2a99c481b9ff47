/** Responses of the published `openai` client against a real server: conversations, and streams that go on from a number. */
import type OpenAI from "openai";
import { expect, test } from "vitest";
import { startCluster, type Cluster } from "../../testing/cluster.ts";
import { clientOf, refusalOf } from "../../testing/openai.ts";

test("what a response put out, thinking too, may come in again", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const { output } = await openai.responses.create({ model: "assistant", input: "/sim thinking=3 tokens=2" });
  const input = [{ role: "user", content: "a" }, ...output, { role: "user", content: "b" }];
  const next = await openai.responses.create({ model: "assistant", input: input as OpenAI.Responses.ResponseInput });
  expect(next.output_text).toContain("turn 2");
});

test("a response has the answer, and the next one goes on in its conversation", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const first = await openai.responses.create({ model: "assistant", input: "calculate 6 * 7", metadata: { a: "b" } });
  expect(first).toMatchObject({ status: "completed", metadata: { a: "b" }, previous_response_id: null });
  expect(first.output_text).toContain("42");
  const next = await openai.responses.create({ model: "assistant", input: "Again", previous_response_id: first.id });
  expect(next.previous_response_id).toBe(first.id);
  const runs = (await cluster.engine.runs({ limit: 10 })).items;
  expect(new Set(runs.map(({ thread_id }) => thread_id)).size).toBe(1);
});

test("all that comes with previous_response_id is new, and goes to the model", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const first = await openai.responses.create({ model: "assistant", input: "Hello" });
  const request = { model: "assistant", previous_response_id: first.id, instructions: "Be short." };
  const input = [
    { role: "developer" as const, content: "Be kind." },
    { role: "user" as const, content: "The code is 1234." },
    { role: "user" as const, content: "What is the code?" },
  ];
  const next = await openai.responses.create({ ...request, input });
  const turns = await cluster.engine.history(next.id.replace("resp_", ""));
  const questions = turns.map(({ messages }) => messages[0]?.content);
  expect(questions).toEqual(["Hello", "Be short.\n\nBe kind.\n\nThe code is 1234.\nWhat is the code?"]);
  const again = [{ role: "assistant" as const, content: "Hi" }, ...input];
  const refusal = await refusalOf(openai.responses.create({ ...request, input: again }));
  expect(refusal).toMatchObject({ status: 400 });
  expect(refusal.message).toContain("`previous_response_id` brings the earlier answers");
});

test("a response goes on from the one that it names, not from what was said in its thread since", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const ask = (input: string, previous?: string, more: object = {}) =>
    openai.responses.create({ model: "assistant", input, previous_response_id: previous ?? null, ...more });
  const first = await ask("Calculate 6 * 7");
  const here = await ask("This way", first.id);
  const there = await ask("That way", first.id);
  const onward = await ask("Further", there.id);
  expect(await questionsOf(cluster, here.id)).toEqual(["Calculate 6 * 7", "This way"]);
  expect(await questionsOf(cluster, onward.id)).toEqual(["Calculate 6 * 7", "That way", "Further"]);
  expect(JSON.stringify(await cluster.engine.history(there.id.replace("resp_", "")))).toContain("42");
  const key = { headers: { "Idempotency-Key": "branch" } };
  const request = { model: "assistant", input: "Once", previous_response_id: first.id };
  const once = await openai.responses.create(request, key);
  expect((await openai.responses.create(request, key)).id).toBe(once.id);
});

test("a response that is not stored leaves the conversation that it goes on from as it was", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const request = { model: "assistant", input: "In passing", store: false };
  const first = await openai.responses.create({ model: "assistant", input: "Hello" });
  const passing = await openai.responses.create({ ...request, previous_response_id: first.id });
  expect(await questionsOf(cluster, passing.id)).toEqual(["Hello", "In passing"]);
  expect(await questionsOf(cluster, first.id)).toEqual(["Hello"]);
  const { items } = await cluster.engine.threads({ limit: 10 });
  expect(items).toHaveLength(1);
  const { body } = await cluster.client.get(`/api/threads/${items[0]?.thread_id}`);
  expect(JSON.stringify(body)).not.toContain("In passing");
  const { id } = await openai.responses.create({
    model: "assistant",
    input: "/sim tokens=6000 rate=60",
    background: true,
  });
  const refusal = await refusalOf(openai.responses.create({ ...request, previous_response_id: id }));
  expect(refusal).toMatchObject({ status: 409, code: "THREAD_BUSY" });
});

test("a response is found by a client that asks to include several things", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const { id } = await openai.responses.create({ model: "assistant", input: "Hello" });
  const include = ["message.output_text.logprobs" as const, "reasoning.encrypted_content" as const];
  expect((await openai.responses.retrieve(id, { include })).id).toBe(id);
});

test("a response in the background is streamed on from any sequence number", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const { id } = await openai.responses.create({
    model: "assistant",
    input: "/sim tokens=30 rate=200",
    background: true,
  });
  const all = await Array.fromAsync(await openai.responses.retrieve(id, { stream: true }));
  expect(all.map(({ sequence_number }) => sequence_number)).toEqual(all.map((_, index) => index));
  expect(all.at(-1)?.type).toBe("response.completed");
  // On a busy machine the tokens come in a few deltas, so the number of events varies.
  const middle = Math.floor(all.length / 2);
  const rest = await Array.fromAsync(await openai.responses.retrieve(id, { stream: true, starting_after: middle }));
  expect(rest).toEqual(all.slice(middle + 1));
  expect(await openai.responses.retrieve(id)).toMatchObject({ status: "completed", background: true });
});

test("a stream resumed after any number has each event or character once, also after deltas were joined", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const { id } = await openai.responses.create({
    model: "assistant",
    input: "/sim tokens=30 rate=200 thinking=20 tool=calculate",
    background: true,
  });
  const read = async (startingAfter?: number) =>
    Array.fromAsync(
      await openai.responses.retrieve(id, {
        stream: true,
        ...(startingAfter !== undefined && { starting_after: startingAfter }),
      }),
    );
  const whole = await read();
  const numbers = whole.map(({ sequence_number }) => sequence_number);
  while (await cluster.engine.retain({ deltasMs: -1_000 })) continue;
  const joined = await read();
  expect(joined.length).toBeLessThan(whole.length);
  const withoutDeltas = (events: typeof whole) => events.filter((event) => !("delta" in event));
  expect(withoutDeltas(joined)).toEqual(withoutDeltas(whole));
  for (const number of numbers) {
    const rest = await read(number);
    expect(rest.every(({ sequence_number }) => sequence_number > number)).toBe(true);
    expect(deltasOf(rest)).toEqual(deltasOf(whole.slice(number + 1)));
    expect(withoutDeltas(rest)).toEqual(withoutDeltas(whole.slice(number + 1)));
  }
});

test.each(["running", "over"])(
  "a number that no event of a response has yet is refused at once (%s)",
  async (state) => {
    await using cluster = await startCluster();
    const openai = clientOf(cluster);
    const { id } = await openai.responses.create({
      model: "assistant",
      input: state === "over" ? "Hello" : "/sim tokens=6000 rate=60",
      background: state === "running",
    });
    const refusal = await refusalOf(openai.responses.retrieve(id, { stream: true, starting_after: 9_999 }));
    expect(refusal).toMatchObject({ status: 400, type: "invalid_request_error" });
    expect(refusal.message).toMatch(/`starting_after` to be at most \d+, the newest position of response resp_/);
    const newest = Number(/at most (\d+)/.exec(refusal.message)?.[1]);
    const stream = await openai.responses.retrieve(id, { stream: true, starting_after: newest - 1 });
    for await (const event of stream) {
      expect(event.sequence_number).toBe(newest);
      break;
    }
    await openai.responses.cancel(id);
  },
);

test("a response that is canceled says so", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const { id } = await openai.responses.create({
    model: "assistant",
    input: "/sim tokens=6000 rate=60",
    background: true,
  });
  await openai.responses.cancel(id);
  const events = await Array.fromAsync(await openai.responses.retrieve(id, { stream: true }));
  expect(events.at(-1)).toMatchObject({ response: { status: "cancelled" } });
});

test("a response whose answer broke off has the whole answer once", async () => {
  await using cluster = await startCluster();
  const openai = clientOf(cluster);
  const stream = openai.responses.stream({ model: "assistant", input: "/sim tokens=30 rate=300 cut times=1" });
  const { output_text: text } = await stream.finalResponse();
  expect(text.match(/tok1\b/g)).toHaveLength(1);
  expect(text).toContain("tok30");
});

test.each([true, false])(
  "a client that hangs up cancels a response that nothing keeps (streamed: %s)",
  async (stream) => {
    await using cluster = await startCluster();
    const status = async () => (await cluster.engine.runs({ limit: 1 })).items[0]?.status;
    const leaving = new AbortController();
    const request = { model: "assistant", input: "/sim tokens=6000 rate=60", store: false, stream };
    const asked = clientOf(cluster)
      .responses.create(request, { signal: leaving.signal })
      .catch(() => undefined);
    await expect.poll(status, { timeout: 10_000 }).toBe("running");
    if (stream) await asked;
    leaving.abort();
    await asked;
    await expect.poll(status, { timeout: 10_000 }).toBe("canceled");
  },
);

/** What the user said in the conversation of a response, to its end. */
async function questionsOf({ engine }: Cluster, id: string): Promise<unknown[]> {
  const turns = await engine.history(id.replace("resp_", ""));
  const messages = turns.flatMap((turn) => turn.messages).filter(({ role }) => role === "user");
  return messages.map(({ content }) => content).filter((content) => typeof content === "string");
}

/** The text of each item, as a client puts it together. */
function deltasOf(events: readonly OpenAI.Responses.ResponseStreamEvent[]): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const event of events) {
    if (event.type !== "response.output_text.delta" && event.type !== "response.reasoning_summary_text.delta") continue;
    texts[event.item_id] = (texts[event.item_id] ?? "") + event.delta;
  }
  return texts;
}
