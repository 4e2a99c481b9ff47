/**
 * `evenkeel init`: writes the files that a new project needs, from `templates/project/`. Files that exist are kept,
 * and `package.json` is only completed: so the command may run in a folder that has code, and may run again.
 */
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ROOT } from "../tree.ts";
import { VERSION } from "../version.ts";
import { CliError } from "./connection.ts";

const TEMPLATE = join(ROOT, "templates/project");
/** npm does not pack files with these names, so the template has them under other names. */
const DOTTED = new Set(["env.example", "gitignore", "dockerignore"]);
const SCRIPTS = { dev: "evenkeel dev", start: "evenkeel start", test: "node --test" };
/** The script that `npm init` writes where there is no test yet. */
const NO_TEST = 'echo "Error: no test specified" && exit 1';

type Manifest = Record<string, unknown> & {
  readonly type?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
};

export async function init(folder: string): Promise<void> {
  const project = resolve(folder);
  const given = await readManifest(join(project, "package.json"));
  for (const name of await filesOfTemplate()) {
    const target = join(project, DOTTED.has(name) ? `.${name}` : name);
    await write(target, () => cp(join(TEMPLATE, name), target));
  }
  await writeFile(join(project, "package.json"), `${JSON.stringify(completed(given), null, 2)}\n`);
  // Files in these folders are modules, while the existing code of the project may be CommonJS.
  if (!isModule(given)) for (const name of ["config", "test"]) await markModules(join(project, name));
  say(`\nNext, in ${project}:\n  npm install\n  npx evenkeel dev        then open http://localhost:8000\n  npm test\n`);
  say("For types in your editor: npm install --save-dev typescript @types/node\n");
  const { evenkeel: from = "" } = given.dependencies ?? {};
  if (/^file:(\.\.|\/)/.test(from))
    say(`The Dockerfile cannot reach ${from}: copy that file into this folder and npm install it from there.\n`);
}

async function filesOfTemplate(): Promise<string[]> {
  const entries = await readdir(TEMPLATE, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => join(parentPath, name).slice(TEMPLATE.length + 1)).toSorted();
}

async function write(target: string, make: () => Promise<void>): Promise<void> {
  if (existsSync(target)) return say(`kept   ${target}\n`);
  await mkdir(dirname(target), { recursive: true });
  await make();
  say(`wrote  ${target}\n`);
}

async function readManifest(file: string): Promise<Manifest> {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(await readFile(file, "utf8")) as Manifest;
  } catch (error) {
    throw new CliError(`${file} is no JSON (${(error as Error).message}). Mend it, then run this again.`);
  }
}

/** Keeps an `evenkeel` that was installed from a file, and scripts of the same names. */
function completed(given: Manifest): Manifest {
  const { test, ...scripts } = given.scripts ?? {};
  return {
    ...(given["name"] === undefined && { private: true }),
    ...given,
    ...(isModule(given) && { type: "module" }),
    scripts: { ...SCRIPTS, ...scripts, ...(test !== undefined && test !== NO_TEST && { test }) },
    dependencies: { evenkeel: `^${VERSION}`, ...given.dependencies },
  };
}

/** What `npm install` writes into an empty folder has dependencies only. Anything more without `type` is CommonJS. */
function isModule({ type, dependencies: _dependencies, ...others }: Manifest): boolean {
  return type === "module" || (type === undefined && Object.keys(others).length === 0);
}

function markModules(folder: string): Promise<void> {
  const file = join(folder, "package.json");
  return write(file, () => writeFile(file, `${JSON.stringify({ type: "module" })}\n`));
}

function say(text: string): void {
  process.stdout.write(text);
}
