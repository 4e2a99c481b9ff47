import { expect, onTestFinished, test, vi } from "vitest";
import type { Budget } from "../../core/spending.ts";
import type { Claim, Engine } from "../engine.ts";
import { start, stepOf, type OpenEngine } from "./setup.ts";

const PRICE = { input: 1, output: 2, cache_read: 0, cache_write: 0 };
const TODAY = () => new Date().toISOString().slice(0, 10);
const usage = (input: number, output = 0) => ({
  input_tokens: input,
  output_tokens: output,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
});

/** Bills the run's whole usage so far. */
function spend(engine: Engine, claim: Claim, input: number) {
  return engine.append(stepOf(claim, { usage: usage(input), bill: { model: "m", price: PRICE } }));
}

function reserve(engine: Engine, { run, fence }: Claim, { tokens = 100, ...budget }: Budget & { tokens?: number }) {
  return engine.reserve({ runId: run.run_id, fence, budget, estimate: { tokens, dollars: 0 } });
}

export function testSpending(open: OpenEngine): void {
  test("what a run's usage has grown by is booked once, by day, agent, principal and model", async () => {
    await using data = await open();
    const { engine } = data;
    const claim = await start(engine, { agentId: "assistant", principal: "ana" });

    await spend(engine, claim, 1_000_000);
    await spend(engine, claim, 3_000_000);
    await engine.settle(stepOf(claim, { usage: usage(3_000_000, 500_000), bill: { model: "m", price: PRICE } }), {
      status: "completed",
      reply: "done",
    });

    const row = { calls: 3, usage: usage(3_000_000, 500_000), dollars: 4 };
    for (const [by, key] of [
      ["agent", "assistant"],
      ["principal", "ana"],
      ["model", "m"],
      ["day", TODAY()],
    ] as const)
      expect(await engine.spending({ by, since: TODAY() })).toEqual([{ key, ...row }]);
    expect(await engine.spending({ by: "agent", since: TODAY(), principal: "bob" })).toEqual([]);
    expect(await engine.spending({ by: "agent", since: "9999-01-01" })).toEqual([]);
    expect((await engine.run(claim.run.run_id))?.spent).toEqual({
      dollars: 4,
      total_tokens: 3_500_000,
      total_dollars: 4,
    });
  });

  test("what delegated runs spend adds up in those that delegated them, and nowhere else", async () => {
    await using data = await open();
    const { engine } = data;
    const top = await start(engine);
    const child = await start(engine, { parentRunId: top.run.run_id });
    const grandchild = await start(engine, { parentRunId: child.run.run_id });

    await spend(engine, top, 1_000_000);
    await spend(engine, child, 2_000_000);
    await spend(engine, grandchild, 4_000_000);

    const spent = async ({ run }: Claim) => (await engine.run(run.run_id))?.spent;
    expect(await spent(top)).toEqual({ dollars: 1, total_tokens: 7_000_000, total_dollars: 7 });
    expect(await spent(child)).toEqual({ dollars: 2, total_tokens: 6_000_000, total_dollars: 6 });
    expect(await spent(grandchild)).toEqual({ dollars: 4, total_tokens: 4_000_000, total_dollars: 4 });
    expect(await engine.spending({ by: "day", since: TODAY() })).toMatchObject([{ dollars: 7 }]);
  });

  test("a run may spend until its budget is met, what it delegated counted in", async () => {
    await using data = await open();
    const { engine } = data;
    const top = await start(engine);
    const child = await start(engine, { parentRunId: top.run.run_id });
    const budget = { run: { tokens: 1_000 } };

    await spend(engine, top, 600);
    expect(await reserve(engine, top, budget)).toEqual({ is: "within" });
    await spend(engine, child, 400);

    expect(await reserve(engine, top, budget)).toEqual({ is: "met", scope: "run", unit: "tokens", cap: 1_000 });
    expect(await reserve(engine, child, budget)).toEqual({ is: "within" });
  });

  test("of runs that ask at the same time, over processes, so many go as there is left for", async () => {
    await using data = await open();
    const engines = [data.engine, await data.another()];
    const claims: Claim[] = [];
    for (let at = 0; at < 6; at += 1) claims.push(await start(data.engine, { owner: `owner ${at}` }));
    const budget = { day: { tokens: 250 } };

    const verdicts = await Promise.all(claims.map((claim, at) => reserve(engines[at % 2] as Engine, claim, budget)));

    expect(verdicts.filter(({ is }) => is === "within")).toHaveLength(3);
    expect(verdicts.filter(({ is }) => is === "reserved")).toHaveLength(3);
  });

  test("a reservation ends with the step that bills it, with the next one, and with the run", async () => {
    await using data = await open();
    const { engine } = data;
    const [first, second] = [await start(engine, { owner: "one" }), await start(engine, { owner: "two" })];
    const budget = { day: { tokens: 1_000 } };

    await reserve(engine, first, { ...budget, tokens: 1_000 });
    expect(await reserve(engine, second, budget)).toMatchObject({ is: "reserved" });
    await spend(engine, first, 10);
    expect(await reserve(engine, second, budget)).toEqual({ is: "within" });
    await reserve(engine, first, { ...budget, tokens: 1_000 });
    await engine.settle(stepOf(first), { status: "canceled" });
    expect(await reserve(engine, second, budget)).toEqual({ is: "within" });
  });

  test("a day's budget begins anew at midnight UTC, and a call over midnight counts for the day of its end", async () => {
    await using data = await open();
    const { engine } = data;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2031-05-06T23:59:59.900Z") });
    onTestFinished(() => void vi.useRealTimers());
    const budget = { day: { tokens: 1_000 } };
    const [first, second] = [await start(engine), await start(engine)];
    await spend(engine, first, 900);
    expect(await reserve(engine, first, budget)).toEqual({ is: "within" });
    expect(await reserve(engine, second, budget)).toMatchObject({ is: "reserved" });

    vi.setSystemTime(Date.parse("2031-05-07T00:00:00.100Z"));

    expect(await reserve(engine, second, { ...budget, tokens: 900 })).toEqual({ is: "within" });
    await spend(engine, first, 1_000);
    await spend(engine, second, 900);
    expect(await engine.spending({ by: "day", since: "2031-05-06" })).toMatchObject([
      { key: "2031-05-07", usage: usage(1_000) },
      { key: "2031-05-06", usage: usage(900) },
    ]);
    expect(await reserve(engine, first, budget)).toMatchObject({ is: "met", scope: "day" });
  });

  test("each principal has a budget of its own", async () => {
    await using data = await open();
    const { engine } = data;
    const ana = await start(engine, { principal: "ana", owner: "one" });
    const bob = await start(engine, { principal: "bob", owner: "two" });
    const budget = { principalDay: { dollars: 1 } };

    await spend(engine, ana, 1_000_000);

    expect(await reserve(engine, ana, budget)).toEqual({ is: "met", scope: "principalDay", unit: "dollars", cap: 1 });
    expect(await reserve(engine, bob, budget)).toEqual({ is: "within" });
  });

  test("a principal's budget over all agents counts what each of them took and reserved", async () => {
    await using data = await open();
    const { engine } = data;
    const [one, two] = [
      await start(engine, { principal: "ana", agentId: "one", owner: "one" }),
      await start(engine, { principal: "ana", agentId: "two", owner: "two" }),
    ];
    const bob = await start(engine, { principal: "bob", agentId: "one", owner: "three" });
    const budget = { allAgentsDay: { tokens: 1_000 } };

    await reserve(engine, one, { ...budget, tokens: 1_000 });
    expect(await reserve(engine, two, budget)).toEqual({ is: "reserved", scope: "allAgentsDay" });
    await spend(engine, one, 1_000);

    expect(await reserve(engine, two, budget)).toEqual({
      is: "met",
      scope: "allAgentsDay",
      unit: "tokens",
      cap: 1_000,
    });
    expect(await reserve(engine, two, {})).toEqual({ is: "within" });
    expect(await reserve(engine, bob, budget)).toEqual({ is: "within" });
  });

  test("an owner that has lost the run reserves nothing", async () => {
    await using data = await open();
    const claim = await start(data.engine);

    const stale = reserve(data.engine, { ...claim, fence: claim.fence - 1 }, { run: { tokens: 1 } });

    await expect(stale).rejects.toMatchObject({ code: "LEASE_LOST" });
  });
}
