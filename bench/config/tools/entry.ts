/** An unsafe tool that leaves a trace of each time it runs, so that a second time can be seen. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { defineTool } from "../../../src/agent/tools/tool.ts";

export const tool = defineTool({
  description: "Writes a line for its call into a file.",
  input: z.object({ file: z.string(), ms: z.number().int().max(1_000) }),
  effects: "unsafe",
  run: async ({ file, ms }, { idempotencyKey }) => {
    appendFileSync(file, `${idempotencyKey}\n`);
    await sleep(ms);
    return "written";
  },
});
