import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { init } from "./init.ts";

/** @returns the package.json of the folder, and of its `config/`, after `init` */
async function initIn(manifest: object): Promise<{ readonly project: object; readonly config: object | undefined }> {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-init-"));
  const read = async (name: string) => JSON.parse(await readFile(join(folder, name), "utf8")) as object;
  try {
    await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
    await init(folder);
    return { project: await read("package.json"), config: await read("config/package.json").catch(() => undefined) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a folder with dependencies only becomes a project of modules", async () => {
  expect(await initIn({ dependencies: { evenkeel: "^0.1.0" } })).toMatchObject({
    project: { type: "module" },
    config: undefined,
  });
});

test.each([{ name: "shop", main: "index.js" }, { type: "commonjs" }])(
  "the CommonJS project %j stays one, and only our files are modules",
  async (manifest) => {
    const { project, config } = await initIn(manifest);
    expect((project as { type?: string }).type).toBe((manifest as { type?: string }).type);
    expect(config).toEqual({ type: "module" });
  },
);

test.each([
  ['echo "Error: no test specified" && exit 1', "node --test"],
  ["vitest run", "vitest run"],
])("the script of tests %j becomes %j: the text of npm init is no test", async (given, test) => {
  const { project } = await initIn({ scripts: { test: given, build: "tsc" } });
  expect(project).toMatchObject({ scripts: { test, build: "tsc", dev: "evenkeel dev" } });
});

test.each([
  ["file:../evenkeel-0.1.0.tgz", true],
  ["file:evenkeel-0.1.0.tgz", false],
  ["^0.1.0", false],
])("a package from %s is out of the Dockerfile's reach: %s", async (evenkeel, isSaid) => {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  await initIn({ dependencies: { evenkeel } });
  const said = write.mock.calls.join("");
  write.mockRestore();
  expect(said.includes("The Dockerfile cannot reach")).toBe(isSaid);
});
