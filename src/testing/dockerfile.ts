/**
 * Follows a Dockerfile in folders of this machine, for tests without a Docker daemon. Knows the instructions of our own files,
 * and no more. The base image's system is not there: its Node is the one that runs the tests.
 */
import { execFile } from "node:child_process";
import { cp, glob, mkdir, readdir, readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join, matchesGlob } from "node:path";
import { promisify } from "node:util";

const RUN_MS = 180_000;
const run = promisify(execFile);

export interface Image {
  readonly from: string;
  /** The folder that is the last WORKDIR. */
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  /** As arguments of `spawn`. */
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
}

interface Build {
  /** The folder with the Dockerfile. */
  readonly context: string;
  /** Stands for `/` of the image. */
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
}

/** @throws Error when a command fails, or at an instruction that it does not know */
export async function build({ context, root, env }: Build): Promise<Image> {
  const image = { from: "", workdir: root, env: {} as Record<string, string>, command: [""], healthcheck: [""] };
  for (const { name, text } of instructions(await readFile(join(context, "Dockerfile"), "utf8"))) {
    const here = inside(text, root);
    switch (name) {
      case "FROM":
        image.from = text;
        break;
      case "WORKDIR":
        image.workdir = here;
        await mkdir(here, { recursive: true });
        break;
      case "COPY":
        await copy(context, image.workdir, text.split(" ").slice(0, -1));
        break;
      case "RUN":
        await run("/bin/sh", ["-c", here], { cwd: image.workdir, env: { ...env, ...image.env }, timeout: RUN_MS });
        break;
      case "ENV":
        image.env = { ...image.env, ...Object.fromEntries(here.split(" ").map((pair) => pair.split("="))) };
        break;
      case "CMD":
        image.command = commandOf(text);
        break;
      case "HEALTHCHECK":
        image.healthcheck = commandOf(text.slice(text.indexOf(" CMD ") + " CMD ".length));
        break;
      case "EXPOSE":
      case "USER":
      case "VOLUME":
        break;
      default:
        throw new Error(`What is ${name} in a Dockerfile?`);
    }
  }
  return image;
}

function instructions(text: string): { readonly name: string; readonly text: string }[] {
  const lines = text
    .replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  return lines.filter(Boolean).map((line) => {
    const [name = ""] = line.split(" ", 1);
    return { name, text: line.slice(name.length + 1) };
  });
}

/** Absolute paths become paths below `root`; the image's user becomes ours. */
function inside(text: string, root: string): string {
  return text.replaceAll(/(?<=^|[ =])\/(?=\w)/g, `${root}/`).replaceAll("node:node", String(userInfo().uid));
}

async function copy(context: string, workdir: string, sources: readonly string[]): Promise<void> {
  const ignored = (await readFile(join(context, ".dockerignore"), "utf8")).split("\n").filter(Boolean);
  const names = sources.includes(".") ? await readdir(context) : await Array.fromAsync(glob(sources, { cwd: context }));
  for (const name of names.filter((one) => !ignored.some((pattern) => matchesGlob(one, pattern))))
    await cp(join(context, name), join(workdir, name), { recursive: true });
}

/** A list in JSON, or a line for the shell. */
function commandOf(text: string): string[] {
  return text.startsWith("[") ? (JSON.parse(text) as string[]) : ["/bin/sh", "-c", text];
}
