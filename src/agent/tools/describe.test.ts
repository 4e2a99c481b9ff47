/** Tool files that are refused at boot, by file and reason. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ConfigError } from "../../config.ts";
import { describeFiles } from "./describe.ts";

const HERE = import.meta.dirname;
const HEAD = `import { z } from "${join(HERE, "../../../node_modules/zod/index.js")}";
  import { defineTool } from "${join(HERE, "tool.ts")}";
  const run = () => 1; const description = "It.";\n`;
const define = (fields: string) => `${HEAD} export const tool = defineTool({ description, run, ${fields} });`;

/** The error of a folder with these files, or the tools that they describe. */
async function describe(files: Readonly<Record<string, string>>): Promise<unknown> {
  const folder = await folderOf(files);
  return describeFiles(folder, {}).catch((error: Error) => error.message.replaceAll(`${folder}/`, ""));
}

async function folderOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), "evenkeel-tools-")), "tools");
  onTestFinished(() => rm(join(folder, ".."), { recursive: true }));
  await mkdir(folder);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

test("a file is described with its defaults and its schema, and test files are none", async () => {
  const fields = `input: z.object({ at: z.string().default("now") })`;

  expect(await describe({ "it.ts": define(fields), "it.test.ts": "throw new Error()", "types.d.ts": "" })).toEqual([
    {
      file: expect.objectContaining({ name: "it" }),
      description: "It.",
      effects: "unsafe",
      isolation: "thread",
      timeoutMs: 60_000,
      memoryMb: 256,
      inputSchema: expect.objectContaining({ type: "object", properties: { at: { default: "now", type: "string" } } }),
    },
  ]);
});

test("a folder that is not there is no tools", async () => {
  expect(await describeFiles("/nowhere/tools", {})).toEqual([]);
});

test.each([
  ["a date in the schema", define("input: z.object({ at: z.date() })"), "Date cannot be represented in JSON Schema"],
  ["a schema that is no object", define("input: z.string()"), "Expected `input` to be an object"],
  [
    "a choice of objects",
    define("input: z.union([z.object({ a: z.int() }), z.object({ b: z.int() })])"),
    "to be an object",
  ],
  ["a schema of zod 3", define("input: { _def: {}, safeParse: () => {} }"), "`input`: Expected a schema of zod 4"],
  ["no schema", define(""), "`input`: Expected a schema of zod 4"],
  ["a name of an argument that the API refuses", define('input: z.object({ "a b": z.int() })'), 'got "a b"'],
  [
    "an unknown field",
    define("input: z.object({}), timeout: 5"),
    "Expected no `timeout`; a tool knows description, input",
  ],
  ["an unknown isolation", define('input: z.object({}), isolation: "container"'), "`isolation`: Invalid option"],
  ["a time limit of nothing", define("input: z.object({}), timeoutMs: 0"), "`timeoutMs`: Too small"],
  ["no description", `${HEAD} export const tool = defineTool({ input: z.object({}), run });`, "`description`"],
  ["no tool", "export const tools = 1;", "Expected it to export `tool`"],
  ["an error when it is loaded", "throw new Error('no key')", "no key"],
  ["null thrown when it is loaded", "throw null", "null was thrown"],
  ["a syntax error", "export const tool = {", "Expected"],
  ["a process that it ends", "process.exit(3)", "ended the thread that loaded it"],
  [
    "an error from a timer while it loads",
    "setTimeout(() => { throw new Error('late') }); await new Promise(() => {})",
    "late",
  ],
])("%s is refused by file and reason", async (_what, text, reason) => {
  expect(await describe({ "good.ts": define("input: z.object({})"), "it.ts": text })).toMatch(
    new RegExp(`^it\\.ts: .*${RegExp.escape(reason)}`),
  );
});

test("every file with a mistake is named, and so is a name that the API refuses or that is there twice", async () => {
  const good = define("input: z.object({})");

  const refusal = await describe({ "a.ts": "throw 1", "b b.ts": good, "c.ts": good, "c.js": "export const tool = 1" });

  expect(refusal).toMatch(/a\.ts: 1 was thrown/);
  expect(refusal).toMatch(/b b\.ts: a tool is named like its file/);
  expect(refusal).toMatch(/c\.(ts|js): there is another file for a tool c/);
});

test("a file that does not finish loading is named, and may load at a later start", { timeout: 30_000 }, async () => {
  const folder = await folderOf({ "it.ts": "for (;;);" });

  const error = await describeFiles(folder, {}).catch((caught: Error) => caught);

  // Not CONFIG, with which the server would not try again.
  expect([error instanceof ConfigError, (error as Error).message]).toEqual([
    false,
    `${folder}/it.ts: it did not load within 10000 ms.`,
  ]);
});

const propertiesOf = (name: string) => ({
  inputSchema: expect.objectContaining({ properties: { [name]: expect.anything() as unknown } }) as unknown,
});

test.each([
  [
    "speaks to the thread's parent",
    `import { parentPort } from "node:worker_threads";
    for (const message of [null, 1, "done", { type: "done" }, { type: "described" }]) parentPort?.postMessage(message);`,
  ],
  ["prints a lot", `for (let at = 0; at < 10_000; at += 1) console.log("x".repeat(1_000));`],
])("a file that %s changes nothing of how the others are described", async (_, code) => {
  const good = define("input: z.object({ a: z.string() })");
  const bad = `${define("input: z.object({ b: z.int() })")} ${code}`;

  const described = await describe({ "a.ts": good, "b.ts": bad, "c.ts": good });

  expect(described).toHaveLength(3);
  expect(described).toEqual(
    expect.arrayContaining(["a", "b"].map((name) => expect.objectContaining(propertiesOf(name)) as unknown)),
  );
});

test("a file that adds a field to every object is refused, and no other file", async () => {
  const good = define("input: z.object({ a: z.string() })");
  const bad = `${good} Object.prototype.surprise = true;`;

  const refusal = await describe({ "a.ts": good, "b.ts": bad, "c.ts": good });

  expect(refusal).toBe("b.ts: It adds `surprise` to every object; use Object.defineProperty, not enumerable.");
});
