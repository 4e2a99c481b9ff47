/** `evenkeel prune`: what RETAIN_* do a little at a time, done at once. The server may run meanwhile. */
import { existsSync } from "node:fs";
import { AGE_WORDS, ageMs } from "../core/age.ts";
import { openEngine } from "../engine/open.ts";
import { CliError } from "./connection.ts";

export interface PruneOptions {
  readonly data: string;
  readonly threads: string;
  readonly deltas: string;
  readonly activities: string;
}

export async function prune({ data, threads, deltas, activities }: PruneOptions): Promise<void> {
  // Opening would make a new one.
  if (!existsSync(data)) throw new CliError(`There is no ${data}; name the server's DATA_DIR with --data.`);
  const retention = {
    threadsMs: age("--threads", threads),
    deltasMs: age("--deltas", deltas),
    activitiesMs: age("--activities", activities),
  };
  const engine = await openEngine({ dataDir: data, durability: "normal", limits: { queued: 0 } });
  try {
    while (await engine.retain(retention)) continue;
  } finally {
    await engine.close();
  }
  process.stdout.write(`${data}: nothing is left that is older.\n`);
}

function age(option: string, text: string): number | undefined {
  const ms = ageMs(text);
  if (Number.isNaN(ms)) throw new CliError(`${option} has to be ${AGE_WORDS}, not "${text}".`);
  return ms;
}
