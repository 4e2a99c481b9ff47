/**
 * Files of one folder, and of no other: read, list, search and write. The folder is WORKSPACE_DIR, or `workspace` below
 * the folder in which the server was started. Links that lead out of it are refused.
 */
import { constants } from "node:fs";
import { mkdir, open, readdir, realpath, type FileHandle } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { defineTool, z } from "evenkeel";

const MAX_READ_BYTES = 200_000;
const MAX_ENTRIES = 500;
const MAX_SEARCHED_FILES = 5_000;
const MAX_SEARCHED_BYTES = 1024 * 1024;
const MAX_HITS = 100;
const SKIPPED = new Set(["node_modules", ".git"]);

// The last part of a path is never followed as a link, and a pipe or device does not make the reader wait.
const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants;

export const tool = defineTool({
  description:
    "Files of the workspace folder. `read` gives a file from `offset` on, `list` the entries of a folder, `search` the " +
    "lines of all files below a folder that contain `text`, `write` replaces a file by `text`. Paths are relative.",
  input: z.object({
    action: z.enum(["read", "list", "search", "write"]),
    path: z.string().max(1_000).default(".").describe("Relative to the workspace."),
    text: z.string().optional().describe("What to search for, or to write."),
    offset: z.int().min(0).default(0).describe("Where to begin to read, in bytes."),
  }),
  // The same write twice leaves the same file.
  effects: "idempotent",
  run: async ({ action, path, text, offset }, { signal }) => {
    const root = await workspaceRoot();
    if (action === "read") return read(await inside(root, path), offset);
    if (action === "list") return list(await inside(root, path));
    if (text === undefined || text === "") throw new Error(`\`${action}\` needs \`text\`.`);
    if (action === "search") return search({ root, folder: await inside(root, path), text, signal });
    return write(root, path, text);
  },
});

async function workspaceRoot(): Promise<string> {
  const folder = resolve(process.env["WORKSPACE_DIR"] ?? "workspace");
  await mkdir(folder, { recursive: true });
  return realpath(folder);
}

/** The real path of what is there, with every link resolved. @throws Error when it lies outside */
async function inside(root: string, path: string): Promise<string> {
  if (path.includes("\0")) throw new Error("A path contains no NUL.");
  const real = await realpath(resolve(root, path)).catch((error: NodeJS.ErrnoException) => {
    throw new Error(error.code === "ENOENT" ? `There is no ${path}.` : `${path} cannot be used (${error.code}).`);
  });
  if (isInside(root, real)) return real;
  throw new Error(`${path} is outside the workspace.`);
}

function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return !isAbsolute(way) && way.split(sep)[0] !== "..";
}

async function read(path: string, offset: number): Promise<string> {
  await using file = await openFile(path, O_RDONLY);
  const { size } = await file.stat();
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_READ_BYTES), 0, MAX_READ_BYTES, offset);
  const end = offset + bytesRead;
  const more = end < size ? `\n[${size - end} more bytes: read on from offset ${end}]` : "";
  return `${buffer.toString("utf8", 0, bytesRead)}${more}`;
}

async function openFile(path: string, flags: number): Promise<FileHandle> {
  const file = await open(path, flags | O_NOFOLLOW | O_NONBLOCK, 0o644);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new Error(`${basename(path)} is no file.`);
}

async function list(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).toSorted();
  const more = names.length > MAX_ENTRIES ? [`[${names.length - MAX_ENTRIES} more]`] : [];
  return names.length > 0 ? [...names.slice(0, MAX_ENTRIES), ...more].join("\n") : "The folder is empty.";
}

interface Search {
  readonly root: string;
  readonly folder: string;
  readonly text: string;
  readonly signal: AbortSignal;
}

async function search({ root, folder, text, signal }: Search): Promise<string> {
  const hits: string[] = [];
  let files = 0;
  for await (const path of filesBelow(folder)) {
    signal.throwIfAborted();
    files += 1;
    if (files > MAX_SEARCHED_FILES || hits.length >= MAX_HITS) break;
    hits.push(...(await linesWith(path, text)).map((line) => `${relative(root, path)}:${line}`));
  }
  if (hits.length === 0) return `Nothing contains ${JSON.stringify(text)}.`;
  const more = hits.length > MAX_HITS || files > MAX_SEARCHED_FILES ? ["[there may be more]"] : [];
  return [...hits.slice(0, MAX_HITS), ...more].join("\n");
}

/** Links are not followed. */
async function* filesBelow(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

async function linesWith(path: string, text: string): Promise<string[]> {
  await using file = await openFile(path, O_RDONLY);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_SEARCHED_BYTES), 0, MAX_SEARCHED_BYTES, 0);
  const lines = buffer.toString("utf8", 0, bytesRead).split("\n");
  return lines.flatMap((line, index) => (line.includes(text) ? [`${index + 1}: ${line.trim().slice(0, 300)}`] : []));
}

async function write(root: string, path: string, text: string): Promise<string> {
  const target = resolve(root, path);
  if (path.includes("\0") || !isInside(root, target) || target === root)
    throw new Error(`${path} is outside the workspace, or no name of a file.`);
  const folder = await makeFolder(root, dirname(target));
  await using file = await openFile(join(folder, basename(target)), O_WRONLY | O_CREAT | O_TRUNC);
  await file.writeFile(text);
  return `Wrote ${Buffer.byteLength(text)} bytes to ${path}.`;
}

/** Makes the folders one by one, each inside what was checked: one of them may be a link. */
async function makeFolder(root: string, folder: string): Promise<string> {
  let at = root;
  for (const name of relative(root, folder).split(sep).filter(Boolean)) {
    await mkdir(join(at, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    at = await inside(root, join(at, name));
  }
  return at;
}
