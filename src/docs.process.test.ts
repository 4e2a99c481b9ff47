/** Types every command that the documentation shows, in the order of the page, against a real server. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { blocksOf } from "./testing/doc-blocks.ts";
import { startServer } from "./testing/server.ts";

const ROOT = resolve(import.meta.dirname, "..");
const PAGES = ["README.md", "CONTRIBUTING.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith(".md"),
);
const COMMAND_MS = 60_000;

interface Typed {
  readonly code: number | null;
  readonly output: string;
}

function type(commands: string): Promise<Typed> {
  return new Promise((done) => {
    execFile(
      "bash",
      ["-eu", "-o", "pipefail", "-c", commands],
      { cwd: ROOT, timeout: COMMAND_MS, encoding: "utf8" },
      (error, stdout, stderr) => done({ code: error ? Number(error.code ?? -1) : 0, output: `${stdout}${stderr}` }),
    );
  });
}

const runnable = PAGES.map((page) => {
  const blocks = blocksOf(readFileSync(join(ROOT, page), "utf8"));
  return { page, blocks: blocks.filter(({ language, notRun }) => language === "sh" && notRun === undefined) };
}).filter(({ blocks }) => blocks.length > 0);

test.each(runnable)(
  "every command of $page runs as it is typed",
  async ({ page, blocks }) => {
    await using server = await startServer();
    for (const { code: commands, line } of blocks) {
      const { code, output } = await type(commands.replaceAll("localhost:8000", `localhost:${server.port}`));
      expect.soft({ at: `${page}:${line}`, code, output }).toMatchObject({ code: 0 });
      expect.soft(output, `${page}:${line} was answered with a problem`).not.toContain("urn:evenkeel:error:");
    }
  },
  300_000,
);

test("a block is excepted by the comment right before it, and by no other", () => {
  const page =
    "<!-- not run: slow -->\n\n```sh\na\n```\ntext\n```sh\nb\n```\n<!-- not run: far -->\ntext\n```sh\nc\n```";
  expect(blocksOf(page).map(({ code, notRun, line }) => [code, notRun, line])).toEqual([
    ["a", "slow", 4],
    ["b", undefined, 8],
    ["c", undefined, 13],
  ]);
});
