/**
 * `vi.waitFor` waits for ten seconds unless a test says otherwise. Only patience: on a busy machine, vitest's own second is too
 * short. Loaded before each test file.
 */
import { vi } from "vitest";

const PATIENCE_MS = 10_000;

const { waitFor } = vi;

function waitPatiently<T>(callback: () => T | Promise<T>, options: WaitOptions = {}): Promise<T> {
  return waitFor(callback, typeof options === "number" ? options : { timeout: PATIENCE_MS, ...options });
}

type WaitOptions = NonNullable<Parameters<typeof waitFor>[1]>;

// Files that share a process load this once each.
if (waitFor.name !== waitPatiently.name) vi.waitFor = waitPatiently;
