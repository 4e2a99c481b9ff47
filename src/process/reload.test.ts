import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { ReloadWatcher, watchProblem } from "./reload.ts";

async function watchFolder() {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-reload-"));
  await mkdir(join(path, "tools"));
  const onChange = vi.fn<(file: string) => void>();
  const onProblem = vi.fn<(problem: string) => void>();
  const watcher = new ReloadWatcher({ folders: [path], onChange, onProblem });
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

test("a folder that cannot be watched is reported, and the others are watched", async () => {
  await using watched = await watchFolder();
  const missing = join(watched.path, "missing");
  const onProblem = vi.fn<(problem: string) => void>();
  const onChange = vi.fn<(file: string) => void>();
  const watcher = new ReloadWatcher({ folders: [missing, watched.path], onChange, onProblem });

  await writeFile(join(watched.path, "real.ts"), "1");

  await vi.waitFor(() => expect(onChange).toHaveBeenCalledExactlyOnceWith("real.ts"));
  expect(onProblem).toHaveBeenCalledExactlyOnceWith(expect.stringContaining(`Changes in ${missing} are not noticed`));
  watcher.stop();
});

test.each([
  ["ENOSPC", "fs.inotify.max_user_watches"],
  ["EMFILE", "fs.inotify.max_user_instances"],
])("%s names the sysctl to raise", (code, sysctl) => {
  expect(watchProblem(Object.assign(new Error("watch"), { code }), "config")).toContain(sysctl);
});
