/**
 * Builds the dashboard while somebody works on it (RELOAD=true): once at the start if it is not up to date, and
 * after each change. It runs in a process of its own, because Vite would cost the primary 100 MB and delay its event
 * loop.
 */
import { execFile, type ChildProcess } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "./observe/log.ts";
import { ReloadWatcher } from "./process/reload.ts";
import { ROOT } from "./tree.ts";

const VITE = join(ROOT, "node_modules/vite/bin/vite.js");
const OUTPUT = join(ROOT, "dist/dashboard/index.html");
/** Sources of the page. */
const FOLDERS = [join(ROOT, "src/dashboard"), join(ROOT, "src/core")];

export class PageBuilder {
  readonly #log: Log;
  readonly #watcher: ReloadWatcher;
  #child: ChildProcess | undefined;
  /** A file changed while a build ran. */
  #again = false;
  #stopped = false;

  constructor(log: Log) {
    this.#log = log;
    this.#watcher = new ReloadWatcher({
      folders: FOLDERS,
      onChange: () => this.#build(),
      wants: isPartOfPage,
      onProblem: (problem) => log.warn(problem),
    });
    this.#buildIfOld().catch((error: unknown) =>
      log.error({ err: error }, "whether the dashboard is up to date cannot be told"),
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#watcher.stop();
    this.#child?.kill();
  }

  async #buildIfOld(): Promise<void> {
    const [builtAt, changedAt] = await Promise.all([modifiedAt(OUTPUT), lastChange()]);
    if (changedAt > builtAt) this.#build();
  }

  #build(): void {
    if (this.#stopped) return;
    this.#again = this.#child !== undefined;
    this.#child ??= execFile(process.execPath, [VITE, "build", "--logLevel", "warn"], { cwd: ROOT }, (error) => {
      this.#child = undefined;
      if (this.#stopped) return;
      if (error) this.#log.error(`the dashboard was not built: ${error.message}`);
      else this.#log.info("dashboard built: reload the page");
      if (this.#again) this.#build();
    });
  }
}

function isPartOfPage(file: string): boolean {
  return /\.(tsx?|css|html|js|svg)$/.test(file) && !/\.test\.tsx?$/.test(file);
}

async function lastChange(): Promise<number> {
  const files = await Promise.all(FOLDERS.map((folder) => readdir(folder, { recursive: true, withFileTypes: true })));
  const parts = files.flat().filter(({ name }) => isPartOfPage(name));
  const changes = parts.map(({ parentPath, name }) => modifiedAt(join(parentPath, name)));
  return Math.max(...(await Promise.all(changes)));
}

/** 0 for a file that is not there. */
async function modifiedAt(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
