/** Watches folders and says, once things are quiet, that something changed. Used with RELOAD=true. */
import { watch, type FSWatcher } from "node:fs";

// An editor writes a file in several steps, a checkout writes many files: wait until it is over.
const QUIET_MS = 150;

export class ReloadWatcher {
  readonly #watchers: FSWatcher[];
  readonly #onChange: (file: string) => void;
  readonly #wants: (file: string) => boolean;
  #timer: NodeJS.Timeout | undefined;

  /**
   * `node --watch` would miss what only forked processes import; a recursive watch sees all.
   * @param wants which changes count, by the path below one of the folders
   */
  constructor(folders: readonly string[], onChange: (file: string) => void, wants = isCode) {
    this.#onChange = onChange;
    this.#wants = wants;
    this.#watchers = folders.map((folder) => {
      const watcher = watch(folder, { recursive: true }, (_event, file) => this.#saw(file));
      // A folder that cannot be read is not watched; that must not end the primary.
      return watcher.on("error", () => {});
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  #saw(file: string | null): void {
    if (!file || !this.#wants(file)) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onChange(file), QUIET_MS);
  }
}

/** What our processes run or read at their start. */
export function isCode(file: string): boolean {
  return /\.(ts|js|json)$/.test(file) && !file.endsWith(".test.ts");
}
