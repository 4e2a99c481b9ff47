/**
 * Where our own files are. The repository runs TypeScript from `src/`; the package runs the compiled files in `lib/`,
 * which have the same names and are also one folder below the root. So an entry of a process or thread is named by its
 * path below that folder, without an extension.
 */
import { extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of package.json, `docs/` and `dist/`. */
export const ROOT = resolve(import.meta.dirname, "..");

/** False in the package. */
export const IS_SOURCE = extname(import.meta.filename) === ".ts";

/** @param name for example "worker/main" */
export function entryUrl(name: string): URL {
  return new URL(`${name}${extname(import.meta.filename)}`, import.meta.url);
}

export function entryPath(name: string): string {
  return fileURLToPath(entryUrl(name));
}
