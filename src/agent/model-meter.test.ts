import { expect, test, vi } from "vitest";
import { NO_USAGE } from "../core/run.ts";
import { startCluster } from "../testing/cluster.ts";
import { readUntil } from "../testing/sse.ts";
import { ModelMeter } from "./model-meter.ts";

test.concurrent("a call that waits out a 429 is told as waiting, with the time that is left", async () => {
  await using cluster = await startCluster();

  const chat = cluster.client.chat("/sim tokens=4 status=429 times=1 retry_after=1");
  await vi.waitFor(() => expect(cluster.meter.read()["model_waiting"]).toBe(1));
  const waiting = cluster.meter.read();
  await chat;

  expect(waiting).toMatchObject({ model_calls: 0, model_rate_limited: 1, model_failures: 1, output_tokens: 0 });
  expect(waiting["model_wait_ms"]).toBeGreaterThan(0);
  expect(waiting["model_wait_ms"]).toBeLessThanOrEqual(1_250);
  const after = { model_calls: 0, model_waiting: 0, model_wait_ms: 0, model_rate_limited: 0, model_failures: 1 };
  expect(cluster.meter.read()).toMatchObject(after);
});

test.concurrent("a wait after a broken answer, or for an overloaded model, is no rate limit; one inside the stream is", async () => {
  await using cluster = await startCluster();
  const limitedIn = async (fault: string) => {
    const chat = cluster.client.chat(`/sim tokens=4 times=1 ${fault}`);
    await vi.waitFor(() => expect(cluster.meter.read()["model_waiting"]).toBe(1));
    const { model_rate_limited: limited } = cluster.meter.read();
    await chat;
    return limited;
  };

  expect(await limitedIn("cut")).toBe(0);
  expect(await limitedIn("error=overloaded_error")).toBe(0);
  expect(await limitedIn("error=rate_limit_error")).toBe(1);
});

test.concurrent("output is estimated while the model speaks: text, thinking and tool arguments", async () => {
  await using cluster = await startCluster();
  const message = '/sim tokens=40 rate=200 thinking=20 tool=calculate input={"expression":"1+1"}';
  const runId = await cluster.client.begin(message);

  await readUntil(await cluster.client.follow(runId), ({ type }) => type === "REASONING_MESSAGE_CONTENT");
  const early = cluster.meter.read();
  await readUntil(await cluster.client.follow(runId), ({ type }) => type === "RUN_FINISHED");

  expect(early).toMatchObject({ model_calls: 1 });
  expect(early["output_tokens"]).toBeGreaterThan(0);
  expect(cluster.meter.read()["output_tokens"]).toBeGreaterThan(early["output_tokens"] ?? 0);
});

test.concurrent("a canceled call is neither in flight any more nor a failure", async () => {
  await using cluster = await startCluster();
  const runId = await cluster.client.begin("/sim tokens=4 stall");
  await readUntil(await cluster.client.follow(runId), ({ type }) => type === "TEXT_MESSAGE_CONTENT");
  expect(cluster.meter.read()).toMatchObject({ model_calls: 1 });

  await cluster.client.post(`/api/runs/${runId}/cancel`);

  await vi.waitFor(() => expect(cluster.meter.read()).toMatchObject({ model_calls: 0, model_failures: 0 }));
});

test("the estimate follows what the model counts, and never goes back", () => {
  const meter = new ModelMeter();
  const estimated = () => meter.read()["output_tokens"] ?? 0;
  const answer = (characters: number) => {
    const before = estimated();
    meter.heard(characters);
    meter.learn({ characters, usage: { ...NO_USAGE, output_tokens: characters / 7 } });
    return estimated() - before;
  };

  const answers = Array.from({ length: 20 }, () => answer(700));

  expect(answers[0]).toBe(175);
  expect(answers.at(-1)).toBeLessThan(102);
  expect(answers.every((tokens) => tokens >= 100)).toBe(true);
});

test("input is counted as the model counts it, and so is what came from the prompt cache", async () => {
  await using cluster = await startCluster();
  const long = `/sim tokens=2\n${"Some words to remember. ".repeat(1_000)}`;
  await cluster.client.chat(long, { thread_id: "cached" });
  const first = cluster.meter.read();

  await cluster.client.chat("/sim tokens=2", { thread_id: "cached" });

  const both = cluster.meter.read();
  expect(first).toMatchObject({ cached_input_tokens: 0 });
  expect(first["input_tokens"]).toBeGreaterThan(5_000);
  expect(both["cached_input_tokens"]).toBeGreaterThan(5_000);
  expect(both["input_tokens"]).toBeGreaterThan((first["input_tokens"] ?? 0) + (both["cached_input_tokens"] ?? 0));
});
