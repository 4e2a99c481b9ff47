import { expect, test } from "vitest";
import type { OpenEngine } from "./setup.ts";

export function testShared(open: OpenEngine): void {
  test("a text that nobody wrote is at version 0, and each write raises the version", async () => {
    await using data = await open();
    const { engine } = data;

    expect(await engine.shared("model")).toEqual({ text: null, version: 0 });
    expect(await engine.share("model", "one", 0)).toBe(true);
    expect(await engine.share("model", "two", 1)).toBe(true);

    expect(await engine.shared("model")).toEqual({ text: "two", version: 2 });
    expect(await engine.shared("other")).toEqual({ text: null, version: 0 });
  });

  test("a write at an old version changes nothing, and says so", async () => {
    await using data = await open();
    const { engine } = data;
    const another = await data.another();
    await engine.share("model", "one", 0);

    expect(await another.share("model", "late", 0)).toBe(false);
    expect(await another.share("new", "odd", 7)).toBe(false);

    expect(await another.shared("model")).toEqual({ text: "one", version: 1 });
  });

  test("of many processes that write at the same version one does, and counting so loses nothing", async () => {
    await using data = await open();
    const engines = [data.engine, await data.another()];
    const count = async (engine: (typeof engines)[number]) => {
      for (;;) {
        const { text, version } = await engine.shared("count");
        if (await engine.share("count", String(Number(text ?? 0) + 1), version)) return;
      }
    };

    await Promise.all(Array.from({ length: 40 }, (_, at) => count(engines[at % 2] as (typeof engines)[number])));

    expect((await data.engine.shared("count")).text).toBe("40");
  });
}
