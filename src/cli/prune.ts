/**
 * `evenkeel prune`: deletes at once what the RETAIN_* settings delete little by little. The server may run
 * meanwhile.
 */
import { AGE_WORDS, ageMs } from "../core/age.ts";
import { CliError } from "./connection.ts";
import { openStorage, type StorageOptions } from "./storage.ts";

export interface PruneOptions extends StorageOptions {
  readonly threads: string;
  readonly files: string;
  readonly deltas: string;
  readonly activities: string;
}

export async function prune({ threads, files, deltas, activities, ...storage }: PruneOptions): Promise<void> {
  const retention = {
    threadsMs: age("--threads", threads),
    filesMs: age("--files", files),
    deltasMs: age("--deltas", deltas),
    activitiesMs: age("--activities", activities),
  };
  await using engine = await openStorage(storage);
  while (await engine.retain(retention)) continue;
  process.stdout.write("Nothing is left that is older.\n");
}

function age(option: string, text: string): number | undefined {
  const ms = ageMs(text);
  if (Number.isNaN(ms)) throw new CliError(`${option} has to be ${AGE_WORDS}, not "${text}".`);
  return ms;
}
