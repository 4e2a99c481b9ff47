/** The one place that chooses an engine driver. */
import type { Engine, EngineLimits } from "./engine.ts";

export interface OpenOptions {
  readonly dataDir: string;
  readonly durability: "normal" | "full";
  readonly limits: EngineLimits;
}

/** @throws AppError STORAGE_UNAVAILABLE when the data cannot be opened or is of a newer evenkeel */
export async function openEngine(options: OpenOptions): Promise<Engine> {
  const { openSqliteEngine } = await import("./sqlite/open.ts");
  return openSqliteEngine(options);
}
