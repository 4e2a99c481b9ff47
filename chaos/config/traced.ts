/** A tool that leaves a line for each time it begins, so that a second time can be seen. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineTool, z } from "evenkeel";

interface Kind {
  readonly effects: "pure" | "idempotent" | "unsafe";
  readonly isolation: "thread" | "process" | "inline";
}

export function traced({ effects, isolation }: Kind) {
  return defineTool({
    description: "Writes a line into a file and waits.",
    input: z.object({ file: z.string(), ms: z.number().int().max(10_000) }),
    effects,
    isolation,
    run: async ({ file, ms }, { idempotencyKey }) => {
      appendFileSync(file, `${effects} ${idempotencyKey}\n`);
      await sleep(ms);
      return "written";
    },
  });
}
