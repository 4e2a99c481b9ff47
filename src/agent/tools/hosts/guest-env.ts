/** The environment of a tool's thread or process. */
import { getCompileCacheDir } from "node:module";
import { MARKER_VARIABLE } from "../../leftovers.ts";

/** @param env the variables that the tool may see: `programEnv` of the settings */
export function guestEnv(env: Readonly<Record<string, string>>, marker: string): Record<string, string> {
  const cache = getCompileCacheDir();
  return { ...env, ...(cache && { NODE_COMPILE_CACHE: cache }), [MARKER_VARIABLE]: `${marker}:` };
}
