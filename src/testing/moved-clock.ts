/** The wall clock of a real server, moved under it. Called by tests and by the chaos suite. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface MovedClock extends AsyncDisposable {
  /** For the server's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** @param offset in seconds, with its sign */
  set(offset: string): Promise<void>;
}

/** A wall clock for a process tree: `set` moves what `Date` says by seconds, in every process of it. */
export async function makeClock(): Promise<MovedClock> {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-clock-"));
  const file = join(folder, "offset");
  const preload = join(folder, "clock.cjs");
  const set = (offset: string) => writeFile(file, offset);
  await set("0");
  await writeFile(
    preload,
    `const { readFileSync } = require("node:fs");
     const Real = Date;
     let [offset, readAt] = [0, -1];
     const now = () => {
       if (performance.now() - readAt > 50) {
         offset = 1000 * Number(readFileSync(${JSON.stringify(file)}, "utf8"));
         readAt = performance.now();
       }
       return Real.now() + offset;
     };
     globalThis.Date = class extends Real {
       constructor(...parts) { if (parts.length > 0) super(...parts); else super(now()); }
       static now() { return now(); }
     };`,
  );
  // Of the variables that a test can set, children see this one.
  const env = { NODE_OPTIONS: `--require ${preload}` };
  return { set, env, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}
