import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { tool } from "../../../../config/tools/workspace.ts";
import { runTool } from "../../../testing/run-tool.ts";

/** A workspace, and beside it a folder whose name begins with the workspace's name. */
async function open() {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-workspace-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [root, beside] = [join(folder, "work"), join(folder, "work-secret")];
  await mkdir(root);
  await mkdir(beside);
  await writeFile(join(beside, "key"), "secret");
  vi.stubEnv("WORKSPACE_DIR", root);
  onTestFinished(() => void vi.unstubAllEnvs());
  return { root, beside };
}

test("a file is written, listed, found and read", async () => {
  await open();

  expect(await runTool(tool, { action: "write", path: "notes/day.md", text: "one\ntwo three\n" })).toBe(
    "Wrote 14 bytes to notes/day.md.",
  );

  expect(await runTool(tool, { action: "list" })).toBe("notes/");
  expect(await runTool(tool, { action: "search", text: "three" })).toBe("notes/day.md:2: two three");
  expect(await runTool(tool, { action: "read", path: "notes/day.md" })).toBe("one\ntwo three\n");
});

test("a long file is read in parts", async () => {
  const { root } = await open();
  await writeFile(join(root, "long"), "x".repeat(200_010));

  expect(await runTool(tool, { action: "read", path: "long" })).toMatch(
    /x\n\[10 more bytes: read on from offset 200000\]$/,
  );
  expect(await runTool(tool, { action: "read", path: "long", offset: 200_000 })).toBe("x".repeat(10));
});

test.each(["../work-secret/key", "/etc/passwd", "a/../../work-secret/key", "link/key", "link-to-file", ".."])(
  "%s is not read, searched or written",
  async (path) => {
    const { root, beside } = await open();
    await symlink(beside, join(root, "link"));
    await symlink(join(beside, "key"), join(root, "link-to-file"));

    await expect(runTool(tool, { action: "read", path })).rejects.toThrow(/outside the workspace|There is no/);
    await expect(runTool(tool, { action: "write", path, text: "taken" })).rejects.toThrow(/outside|ELOOP/);
    expect(await runTool(tool, { action: "search", text: "secret" })).toMatch(/^Nothing contains/);
  },
);

test("what is no file does not make the reader wait", async () => {
  const { root } = await open();
  const mkfifo = "mkfifo";
  execFileSync(mkfifo, [join(root, "pipe")]);

  await expect(runTool(tool, { action: "read", path: "pipe" })).rejects.toThrow("is no file");
});
