/** What the permits of a governor tell the other processes, over a shared text in memory. */
import { pino } from "pino";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import { sharedTexts } from "../../testing/shared-texts.ts";
import { NEW, RANKS, type Allowance } from "./allowance.ts";
import { Governor } from "./governor.ts";

const { signal: NEVER } = new AbortController();
const OPEN: Partial<Allowance> = { known: true };

/** A governor on a text that holds `first`. */
async function makeGovernor(first: Partial<Allowance>, engine: Pick<Engine, "shared" | "share"> = sharedTexts()) {
  await engine.share("m", JSON.stringify(first), 0);
  const governor = new Governor({ name: "m", process: "one", engine, log: pino({ level: "silent" }) });
  const enter = (signal = NEVER, hasOther = false) =>
    governor.enter({ rank: RANKS.interactive, tokens: () => 10, signal, hasOther, onWait: () => {} });
  const told = async () => JSON.parse((await engine.shared("m")).text ?? "null") as Allowance;
  return { engine, governor, enter, told, [Symbol.dispose]: () => governor.stop() };
}

const failure = { isLimit: false, retryAfterMs: undefined, told: {} };

test("a call counts as answered once, however much is said of it", async () => {
  using made = await makeGovernor(NEW);
  const [first, second] = await Promise.all([made.enter(), made.enter()]);

  first.heard({});
  first.leave();
  first.leave();
  await vi.waitFor(async () => expect(await made.told()).toMatchObject({ granted: 2, answered: 1 }));
  second.leave();

  await vi.waitFor(async () => expect(await made.told()).toMatchObject({ granted: 2, answered: 2 }));
});

test("a call that is canceled while its process asks gives its permit back", async () => {
  const engine = sharedTexts();
  using made = await makeGovernor(NEW, engine);
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const { promise: canceled, resolve: goOn } = Promise.withResolvers<void>();
  const { share } = engine;
  vi.spyOn(engine, "share").mockImplementationOnce(async (...text) => {
    resolve();
    await canceled;
    return share(...text);
  });
  const cancel = new AbortController();

  const call = made.enter(cancel.signal);
  await asked;
  cancel.abort(new Error("canceled"));
  await expect(call).rejects.toThrow("canceled");
  goOn();

  await vi.waitFor(async () => expect(await made.told()).toMatchObject({ granted: 1, answered: 1 }));
});

test("a call whose run is canceled already does not wait", async () => {
  using made = await makeGovernor(NEW);

  await expect(made.enter(AbortSignal.abort(new Error("canceled")))).rejects.toThrow("canceled");

  expect(made.governor.read().waiting).toBe(0);
});

test("the text of an older version, without the newest fields, is understood", async () => {
  using made = await makeGovernor({ known: true, granted: 4, answered: 4 });

  (await made.enter()).leave();

  await vi.waitFor(async () =>
    expect(await made.told()).toEqual({
      ...NEW,
      ...OPEN,
      granted: 5,
      answered: 5,
      at: expect.any(Number),
      grantedAt: expect.any(Number),
      minute: expect.anything(),
    }),
  );
});

test("a look at the text writes nothing", async () => {
  const engine = sharedTexts();
  using made = await makeGovernor({ ...NEW, ...OPEN }, engine);
  (await made.enter()).leave();
  await vi.waitFor(async () => expect(await made.told()).toMatchObject({ answered: 1 }));
  const [shared, share] = [vi.spyOn(engine, "shared"), vi.spyOn(engine, "share")];
  const real = performance.now.bind(performance);
  const later = vi.spyOn(performance, "now").mockImplementation(() => real() + 1_001);
  onTestFinished(() => later.mockRestore());

  await made.enter();
  await vi.waitFor(() => expect(shared).toHaveBeenCalled());
  await new Promise((resolve) => setImmediate(resolve));

  expect(share).not.toHaveBeenCalled();
});

test("a whole answer ends a row of failures", async () => {
  using made = await makeGovernor({ ...NEW, ...OPEN, failures: 9 });
  const permit = await made.enter();
  permit.heard({});
  permit.succeeded({ input: 1, output: 1 });
  permit.leave();
  await vi.waitFor(async () => expect(await made.told()).toMatchObject({ answered: 1, failures: 0 }));

  (await made.enter()).failed(failure);

  await vi.waitFor(async () => expect(await made.told()).toMatchObject({ failures: 1 }));
  expect(made.governor.read().isTroubled).toBe(false);
});

test("while the model is in trouble one call tries it, and callers with another model do not wait for that", async () => {
  using made = await makeGovernor({ ...NEW, ...OPEN, failures: 10 });
  const trial = await made.enter(NEVER, true);
  const patient = made.enter();
  const others = await Promise.allSettled([made.enter(NEVER, true), made.enter(NEVER, true)]);

  for (const other of others) expect(other).toMatchObject({ reason: { code: "MODEL_UNAVAILABLE" } });
  expect(made.governor.read().waiting).toBe(1);
  trial.heard({});
  trial.leave();
  (await patient).leave();
  (await made.enter(NEVER, true)).leave();
});

test("once the model has said what is left, with this call in it, the call is not counted again at its end", async () => {
  const [limit, remaining] = [60_000, 1_000];
  using made = await makeGovernor({ ...NEW, ...OPEN, at: Date.now(), buckets: { input: { limit, level: limit } } });
  const entry = { rank: RANKS.interactive, signal: NEVER, hasOther: false, onWait: () => {} };
  const permit = await made.governor.enter({ ...entry, tokens: () => 50_000 });
  permit.heard({ input: { limit, remaining } });
  permit.succeeded({ input: 12, output: 1 });
  permit.leave();
  await vi.waitFor(async () => expect(await made.told()).toMatchObject({ answered: 1 }));

  // A thousand come back each second.
  expect((await made.told()).buckets.input?.level).toBeLessThan(40_000);
});
