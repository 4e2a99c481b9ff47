/** Children that run code which a test hands them. Called by process tests. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { vi } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

/** A configuration whose children look for code in a file, and run it once. */
export async function makePuppets() {
  const parent = join(ROOT, "data");
  await mkdir(parent, { recursive: true });
  const configDir = await mkdtemp(join(parent, "test-puppets-"));
  await mkdir(join(configDir, "tools"));
  await writeFile(
    join(configDir, "agents.ts"),
    `import fs from "node:fs";
     import { defineAgents } from "${ROOT}/src/core/agent.ts";
     export const agents = defineAgents({ assistant: { model: "m" } });
     const kind = process.title.split(" ")[1];
     const file = ${JSON.stringify(configDir)} + "/" + kind;
     const look = () => {
       try {
         const code = fs.readFileSync(file, "utf8");
         fs.renameSync(file, file + ".taken");
         new Function("fs", code)(fs);
       } catch {}
     };
     if (kind !== "primary") setInterval(look, 20);`,
  );
  const run = async (kind: "agent" | "worker", code: string) => {
    await writeFile(join(configDir, `${kind}.new`), code);
    await rename(join(configDir, `${kind}.new`), join(configDir, kind));
    await vi.waitUntil(async () => existsSync(join(configDir, `${kind}.taken`)));
  };
  return { configDir, run, [Symbol.asyncDispose]: () => rm(configDir, { recursive: true }) };
}
