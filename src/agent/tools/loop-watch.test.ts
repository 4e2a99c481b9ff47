import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { callContext } from "../../testing/call-context.ts";
import { inlineTool } from "./inline.ts";
import type { CallReport } from "./invoke.ts";
import { LoopWatch } from "./loop-watch.ts";
import { defineTool } from "./tool.ts";

test("an inline tool that was running while the loop was blocked is named, and one that ran before is not", async () => {
  const loop = new LoopWatch();
  const call = (name: string, run: () => unknown) => {
    const reports: CallReport[] = [];
    const tool = inlineTool(defineTool({ description: "It.", input: z.object({}), run }), { name, loop });
    return tool.invoke({}, callContext({ report: (report) => void reports.push(report) })).then(() => reports);
  };

  expect(await call("quick", () => delay(1))).toEqual([]);
  const [waiting, blocking] = await Promise.all([call("waiting", () => delay(1)), call("blocking", () => spin(400))]);

  for (const [name, reports] of Object.entries({ waiting, blocking })) {
    expect(reports[0]).toMatchObject({ type: "log", level: "warn", text: expect.stringContaining(`tool ${name} ran`) });
    expect(reports[1]).toMatchObject({ type: "progress" });
  }
});

function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
