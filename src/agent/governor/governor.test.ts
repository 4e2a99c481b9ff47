import { pino } from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import { defineAgents } from "../../core/agent.ts";
import type { Engine } from "../../engine/engine.ts";
import { startCluster } from "../../testing/cluster.ts";
import { problemsOf } from "../../testing/journal.ts";
import { sharedTexts } from "../../testing/shared-texts.ts";
import { RANKS, type Rank } from "./allowance.ts";
import type { Told } from "./outcomes.ts";
import { Governor, type Permit } from "./governor.ts";

const { signal: NEVER } = new AbortController();
const log = pino({ level: "silent" });

function governorOf(process: string, engine: Pick<Engine, "shared" | "share">) {
  const governor = new Governor({ name: "m", process, engine, log });
  const enter = (rank: Rank = RANKS.interactive, signal = NEVER) =>
    governor.enter({ rank, tokens: () => 10, signal, hasOther: false, onWait: () => {} });
  return { governor, enter, [Symbol.dispose]: () => governor.stop() };
}

const told = (limit: number, remaining: number): Told => ({ requests: { limit, remaining } });

/** The model has answered one call, with these limits in the answer. */
async function learned(permit: Permit, limits: Told): Promise<void> {
  permit.heard(limits);
  permit.leave();
}

test("a model that limits nothing costs one question, and no write for each call", async () => {
  const engine = sharedTexts();
  const share = vi.spyOn(engine, "share");
  using one = governorOf("one", engine);
  await learned(await one.enter(), {});
  await vi.waitFor(async () => expect((await engine.shared("m")).text).toContain('"known":true'));
  const before = share.mock.calls.length;

  for (let call = 0; call < 100; call += 1) {
    const permit = await one.enter();
    permit.heard({});
    permit.succeeded({ input: 10, output: 10 });
    permit.leave();
  }

  expect(share.mock.calls.length).toBe(before);
});

test("a process that was idle while another one was refused lets no call go, however many come at once", async () => {
  const engine = sharedTexts();
  using idle = governorOf("idle", engine);
  using refused = governorOf("refused", engine);
  await learned(await idle.enter(), {});
  await vi.waitFor(async () => expect((await engine.shared("m")).text).toContain('"known":true'));
  (await refused.enter()).failed({ isLimit: true, retryAfterMs: 60_000, told: {} });
  await vi.waitFor(async () => expect((await engine.shared("m")).text).toContain("limits our requests"));
  const real = performance.now.bind(performance);
  const later = vi.spyOn(performance, "now").mockImplementation(() => real() + 1_001);
  onTestFinished(() => later.mockRestore());

  const cancel = new AbortController();
  const calls = Array.from({ length: 10 }, () => idle.enter(RANKS.interactive, cancel.signal));
  await vi.waitFor(() => expect(idle.governor.read().waiting).toBe(calls.length));
  cancel.abort(new Error("enough"));

  expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(calls.map(() => "rejected"));
});

test("a call that comes while a question to a failing storage is under way waits no longer than the next one", async () => {
  const texts = sharedTexts();
  const question = Promise.withResolvers<never>();
  const shared = vi.fn<Engine["shared"]>((name) => texts.shared(name));
  shared.mockReturnValueOnce(question.promise);
  using one = governorOf("one", { ...texts, shared });
  const first = one.enter();
  await vi.waitFor(() => expect(shared).toHaveBeenCalledOnce());

  const second = one.enter();
  question.reject(new Error("the storage is away"));

  await first;
  const permit = await second;
  expect(one.governor.read().waiting).toBe(0);
  permit.leave();
});

test("two processes together make no more calls than the model allows", async () => {
  const engine = sharedTexts();
  using one = governorOf("one", engine);
  using two = governorOf("two", engine);
  await learned(await one.enter(), told(600, 10));
  await vi.waitFor(async () => expect((await engine.shared("m")).text).toContain('"limit":600'));

  const cancel = new AbortController();
  let passed = 0;
  const count = () => void (passed += 1);
  const calls = Array.from({ length: 100 }, (_, at) => (at % 2 ? one : two).enter(RANKS.interactive, cancel.signal));
  for (const call of calls) call.then(count, () => {});
  await vi.waitFor(() => expect(passed).toBeGreaterThanOrEqual(20), { timeout: 5_000 });
  cancel.abort(new Error("enough"));

  // Ten calls were left, and ten a second come back.
  expect(passed).toBeLessThanOrEqual(22);
});

test("interactive calls go before delegated ones, whichever process has them", async () => {
  const engine = sharedTexts();
  using one = governorOf("one", engine);
  using two = governorOf("two", engine);
  await learned(await one.enter(), told(300, 0));
  await vi.waitFor(async () => expect((await engine.shared("m")).text).toContain('"limit":300'));
  const order: string[] = [];
  const note = (name: string) => () => void order.push(name);

  const delegated = Array.from({ length: 3 }, () => one.enter(RANKS.delegated).then(note("delegated")));
  const interactive = Array.from({ length: 3 }, () => two.enter().then(note("interactive")));
  await Promise.all([...delegated, ...interactive]);

  expect(order.indexOf("interactive")).toBeLessThanOrEqual(1);
  // Interactive calls go first only after they have reported that they wait, so one delegated call may have gone
  // before.
  expect(order.filter((name) => name === "delegated").length).toBe(3);
  expect(order.slice(-2)).toEqual(["delegated", "delegated"]);
});

test("a call that has waited for more than 30 s goes first, whatever its rank", async () => {
  const engine = sharedTexts();
  using one = governorOf("one", engine);
  await learned(await one.enter(), told(600, 0));
  await vi.waitFor(async () => expect((await engine.shared("m")).text).toContain('"limit":600'));
  const order: string[] = [];
  const background = one.enter(RANKS.background).then(() => order.push("background"));
  const real = performance.now.bind(performance);
  const later = vi.spyOn(performance, "now").mockImplementation(() => real() + 30_001);
  onTestFinished(() => later.mockRestore());

  const interactive = Array.from({ length: 3 }, () => one.enter().then(() => order.push("interactive")));
  await Promise.all([background, ...interactive]);

  expect(order[0]).toBe("background");
});

test("a call that is canceled while it waits is not let through, and takes nobody's turn", async () => {
  const engine = sharedTexts();
  using one = governorOf("one", engine);
  await learned(await one.enter(), told(600, 0));
  await vi.waitFor(async () => expect((await engine.shared("m")).text).toContain('"limit":600'));
  const cancel = new AbortController();

  const canceled = one.enter(RANKS.interactive, cancel.signal);
  const next = one.enter();
  cancel.abort(new Error("canceled"));

  await expect(canceled).rejects.toThrow("canceled");
  await next;
});

test("a storage in trouble lets calls through: the limits are the model's own to hold", async () => {
  const broken = { shared: () => Promise.reject(new Error("disk")), share: () => Promise.reject(new Error("disk")) };
  using one = governorOf("one", broken);

  expect(await Promise.all(Array.from({ length: 10 }, () => one.enter()))).toHaveLength(10);
});

test("60 runs against a model that allows few make one request each, report their wait, and all end", async () => {
  await using cluster = await startCluster({
    agents: defineAgents({ assistant: { model: "m" } }),
    limit: { requestsPerMinute: 300, burst: 20 },
  });

  const runIds = await Promise.all(Array.from({ length: 60 }, () => cluster.client.begin("/sim tokens=2")));
  const runs = await Promise.all(
    runIds.map(async (runId) => {
      await cluster.client.follow(runId).then((response) => response.text());
      return cluster.engine.run(runId);
    }),
  );

  expect(runs.map((run) => run?.status)).toEqual(runs.map(() => "completed"));
  expect(cluster.simulator.stats().requests).toBeLessThanOrEqual(60 * 1.1);
  const journals = await Promise.all(runIds.map((runId) => cluster.client.events(runId)));
  for (const events of journals) expect(problemsOf(events)).toEqual([]);
  const waits = journals.flat().filter(({ name }) => name === "evenkeel.waiting");
  expect(waits.length).toBeGreaterThan(0);
  expect(waits[0]?.value).toEqual({
    reason: expect.stringContaining("300 requests a minute"),
    until: expect.any(Number),
  });
  const { body } = await cluster.client.get("/api/activities?type=run.parked");
  expect((body["activities"] as unknown[]).length).toBe(waits.length);
});

test("a chat that somebody waits for overtakes those in the background, and what they delegate", async () => {
  await using cluster = await startCluster({
    agents: defineAgents({
      assistant: { model: "m" },
      lead: { model: "m", delegates: ["assistant"] },
    }),
    limit: { requestsPerMinute: 120, burst: 5 },
  });
  const { client, engine } = cluster;
  const task = `/sim tool=delegate input={"agent_id":"assistant","message":"/sim tokens=2"}`;
  for (const message of [task, ...Array.from({ length: 30 }, () => "/sim tokens=2")])
    await client.begin(message, { agent_id: message === task ? "lead" : "assistant" });

  expect((await client.chat("/sim tokens=2", { agent_id: "assistant" })).status).toBe(200);

  const { items } = await engine.runs({ limit: 100 });
  // Two calls a second, and 30 others ahead: most of the items still wait.
  expect(items.filter(({ status }) => status !== "completed").length).toBeGreaterThan(20);
});

test("a run that waits for its model says so, why, and about until when", async () => {
  await using cluster = await startCluster({
    agents: defineAgents({ assistant: { model: "m" } }),
    limit: { requestsPerMinute: 6, burst: 4 },
  });
  const { client } = cluster;
  await Promise.all(Array.from({ length: 4 }, () => client.chat("/sim tokens=2")));
  const runId = await client.begin("/sim tokens=2");

  await expect
    .poll(async () => (await client.get(`/api/runs/${runId}`)).body["waiting"], { timeout: 10_000 })
    .toEqual({ reason: expect.stringContaining("6 requests a minute"), until: expect.any(Number) });

  expect((await client.post(`/api/runs/${runId}/cancel`)).status).toBeLessThan(300);
  await expect.poll(async () => (await client.get(`/api/runs/${runId}`)).body).not.toHaveProperty("waiting");
});
