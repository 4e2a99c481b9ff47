/** A parked run is stored with what it waits for, until it goes on, is claimed again, or ends. */
import { expect, test } from "vitest";
import type { Engine } from "../engine.ts";
import { claimNext, complete, delta, enqueue, ownerOf, start, stepOf, type OpenEngine } from "./setup.ts";

const WAITING = { reason: "delegated to helper", until: null };
const LIMITED = { reason: "a rate limit", until: 9_000 };

export function testParked(open: OpenEngine): void {
  test("a parked run says so alone and in lists, and a filter finds it", async () => {
    await using data = await open();
    const [parked, working] = [await start(data.engine), await start(data.engine)];
    const { run_id: queued } = await enqueue(data.engine);

    await data.engine.append(stepOf(parked, { waiting: WAITING }));

    expect(await data.engine.run(parked.run.run_id)).toMatchObject({ status: "running", waiting: WAITING });
    const listed = await data.engine.runs({ limit: 10, parked: true });
    expect(listed).toMatchObject({ items: [{ run_id: parked.run.run_id, waiting: WAITING }], next: null });
    expect(await idsOf(data.engine, { parked: false })).toEqual([queued, working.run.run_id]);
    expect(await idsOf(data.engine, { status: "running", parked: false })).toEqual([working.run.run_id]);
    expect(await idsOf(data.engine, { status: "queued", parked: true })).toEqual([]);
  });

  test("a step that says nothing of waiting leaves it as it is, and null ends it", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const read = async () => (await data.engine.run(claim.run.run_id))?.waiting;

    await data.engine.append(stepOf(claim, { waiting: WAITING }));
    await data.engine.append(stepOf(claim, { events: [delta("a")] }));
    expect(await read()).toEqual(WAITING);
    await data.engine.append(stepOf(claim, { waiting: LIMITED }));
    expect(await read()).toEqual(LIMITED);
    await data.engine.append(stepOf(claim, { waiting: null }));
    expect(await read()).toBeUndefined();
  });

  test("the feed has one activity when a run is parked, and one when it goes on", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    const after = await data.engine.lastActivity();

    for (const waiting of [WAITING, LIMITED, null]) await data.engine.append(stepOf(claim, { waiting }));

    const told = await data.engine.activitiesAfter(after, 10);
    expect(told.map(({ activity }) => activity)).toMatchObject([
      { type: "run.parked", run_id: claim.run.run_id, detail: { ...WAITING, title: claim.run.title } },
      { type: "run.resumed", run_id: claim.run.run_id },
    ]);
  });

  test("a run that ends while it is parked is not parked any more", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.append(stepOf(claim, { waiting: WAITING }));

    await complete(data.engine, claim);

    expect(await data.engine.run(claim.run.run_id)).not.toHaveProperty("waiting");
    expect(await idsOf(data.engine, { parked: true })).toEqual([]);
  });

  test("a run that another process takes over is not parked until that process says so", async () => {
    await using data = await open();
    const claim = await start(data.engine);
    await data.engine.append(stepOf(claim, { waiting: WAITING }));

    await data.engine.release({ owner: ownerOf("owner 1") }, "stopped");
    expect(await data.engine.run(claim.run.run_id)).toMatchObject({ status: "queued" });
    expect(await idsOf(data.engine, { parked: true })).toEqual([]);
    const { run } = await claimNext(data.engine, { owner: "owner 2" });

    expect(run).not.toHaveProperty("waiting");
    expect(await idsOf(data.engine, { parked: true })).toEqual([]);
  });
}

async function idsOf(engine: Engine, filter: Omit<Parameters<Engine["runs"]>[0], "limit">): Promise<string[]> {
  const { items } = await engine.runs({ limit: 10, ...filter });
  return items.map(({ run_id: id }) => id);
}
