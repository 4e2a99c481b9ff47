/** The agents and tools in docs/agents.md can be loaded exactly as printed, and do what the page says. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { loadAgents, loadToolsConfig } from "../../config.ts";
import { whyUnreadable } from "../../core/picture.ts";
import { callContext } from "../../testing/call-context.ts";
import { blocksOf } from "../../testing/doc-blocks.ts";
import { Hosts } from "./hosts/hosts.ts";
import { assertToolsExist, loadTools } from "./registry.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

test("every file that the page shows is a file of a config folder that works", async () => {
  const configDir = await writeConfig();
  const hosts = new Hosts(pino({ enabled: false }));
  onTestFinished(() => hosts.stop());

  const agents = await loadAgents(configDir);
  const tools = await loadTools(configDir, hosts, {});
  assertToolsExist(agents.values(), tools);

  expect(await loadToolsConfig(configDir)).toEqual({ env: ["REMINDERS_TOKEN"] });
  expect([...tools.keys()].toSorted()).toEqual(["bars", "count_words", "remind", "resize"]);
  const call = (name: string, input: unknown) => tools.get(name)?.invoke(input, callContext());
  expect(await call("count_words", { text: "the quick brown fox" })).toEqual({
    content: '{"words":4}',
    isError: false,
  });
  expect((await call("resize", { width: 400, height: 300, to: 200 }))?.content).toBe('{"width":200,"height":150}');
  const drawn = (await call("bars", { values: [1, 3, 2] }))?.content;
  expect(drawn).toEqual([
    { type: "text", text: expect.stringContaining("3 bars") },
    { type: "media", data: expect.any(String) },
  ]);
  const [, picture] = drawn as readonly [object, { readonly data: string }];
  expect(whyUnreadable("image/png", Buffer.from(picture.data, "base64"))).toBeUndefined();
  // No server listens there.
  expect(await call("remind", { text: "tea", at: "2026-11-28T16:00:00Z" })).toMatchObject({ isError: true });
});

/** The first line of each block names its file. */
async function writeConfig(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-docs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const page = await readFile(join(ROOT, "docs/agents.md"), "utf8");
  for (const { code } of blocksOf(page).filter(({ language }) => language === "ts")) {
    const [, file = "no file named"] = /^\/\/ (config\/\S+)\n/.exec(code) ?? [];
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await writeFile(join(folder, file), code);
  }
  return join(folder, "config");
}
