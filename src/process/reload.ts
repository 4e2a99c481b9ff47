/** Watches folders and says, once things are quiet, that something changed. Used with RELOAD=true. */
import { watch, type FSWatcher } from "node:fs";

// An editor writes a file in several steps, and a checkout writes many files: wait until nothing changes any
// more.
const QUIET_MS = 150;

export interface WatchOptions {
  readonly folders: readonly string[];
  readonly onChange: (file: string) => void;
  /** Which changes count, by the path below one of the folders. `isCode` by default. */
  readonly wants?: (file: string) => boolean;
  /**
   * Called with a sentence that says which folder is not watched and what to do. At most once for each
   * folder.
   */
  readonly onProblem: (problem: string) => void;
}

export class ReloadWatcher {
  readonly #watchers: FSWatcher[];
  readonly #onChange: (file: string) => void;
  readonly #wants: (file: string) => boolean;
  #timer: NodeJS.Timeout | undefined;

  /** `node --watch` would miss what only forked processes import; a recursive watch sees all. */
  constructor({ folders, onChange, wants = isCode, onProblem }: WatchOptions) {
    this.#onChange = onChange;
    this.#wants = wants;
    this.#watchers = folders.flatMap((folder) => {
      const report = (error: unknown) => onProblem(watchProblem(error, folder));
      try {
        const watcher = watch(folder, { recursive: true }, (_event, file) => this.#saw(file));
        // A folder that cannot be watched completely is still served.
        return [watcher.once("error", report).on("error", () => {})];
      } catch (error) {
        report(error);
        return [];
      }
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

/** Linux allows each user so many watches, and answers with codes that speak of disks and files. */
const LIMITS: Readonly<Record<string, string>> = {
  ENOSPC: "no inotify watches are left. Raise the sysctl fs.inotify.max_user_watches",
  EMFILE: "no inotify instances are left. Raise the sysctl fs.inotify.max_user_instances",
};

export function watchProblem(error: unknown, folder: string): string {
  const { code = "", message = String(error) } = error as Partial<NodeJS.ErrnoException>;
  return `Changes in ${folder} are not noticed: ${LIMITS[code] ?? message}, or reload with SIGHUP.`;
}
