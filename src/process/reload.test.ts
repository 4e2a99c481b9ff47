import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ReloadWatcher } from "./reload.ts";

async function watchFolder() {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-reload-"));
  await mkdir(join(path, "tools"));
  const onChange = vi.fn<(file: string) => void>();
  const watcher = new ReloadWatcher([path], onChange);
  const dispose = async () => {
    watcher.stop();
    await rm(path, { recursive: true });
  };
  return { path, onChange, watcher, [Symbol.asyncDispose]: dispose };
}

test("many changes in one go are one, told once things are quiet", async () => {
  await using watched = await watchFolder();

  for (const name of ["a.ts", "b.ts", "tools/c.ts", "d.json"]) writeFileSync(join(watched.path, name), "1");

  await vi.waitFor(() => expect(watched.onChange).toHaveBeenCalled());
  expect(watched.onChange).toHaveBeenCalledOnce();
});

test("what no process imports is not a change", async () => {
  await using watched = await watchFolder();

  for (const name of ["notes.md", "a.test.ts", ".a.ts.swp"]) await writeFile(join(watched.path, name), "1");
  await writeFile(join(watched.path, "real.ts"), "1");

  await vi.waitFor(() => expect(watched.onChange).toHaveBeenCalledExactlyOnceWith("real.ts"));
});
