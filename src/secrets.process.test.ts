/** Where a secret of ours may be read, and where not. Real processes, read through /proc as a tool could. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { aliveOf, descendantsOf } from "./testing/processes.ts";
import { makePuppets } from "./testing/puppets.ts";
import { makePlace, Server } from "./testing/server.ts";

const CANARY = "canary";
const SECRETS = {
  API_KEYS: `ana:${CANARY}-client-key`,
  ANTHROPIC_API_KEY: `${CANARY}-model-key`,
  ANTHROPIC_BASE_URL: `http://${CANARY}-user:${CANARY}-password@127.0.0.1:9/v1`,
  ANTHROPIC_AUTH_TOKEN: `${CANARY}-token`,
  NODE_AUTH_TOKEN: `${CANARY}-npm-token`,
  SOMETHING_ELSE: `${CANARY}-of-the-operator`,
};

test.runIf(existsSync("/proc/self/environ"))(
  "no process of the tree shows a secret in its environment, its command line or what it starts",
  async () => {
    await using puppets = await makePuppets();
    await using place = await makePlace();
    await using server = new Server(place, { env: { ...SECRETS, CONFIG_DIR: puppets.configDir } });
    await vi.waitUntil(() => server.stdout.includes("ready in"), { timeout: 15_000 });
    const seen = join(place.dataDir, "seen");
    await puppets.run(
      "agent",
      `const { execFileSync } = process.getBuiltinModule("node:child_process");
       fs.writeFileSync(${JSON.stringify(seen)}, JSON.stringify(process.env) + execFileSync("sh", ["-c", "env"]));
       fs.writeFileSync(${JSON.stringify(`${seen}.done`)}, "");`,
    );

    await vi.waitUntil(() => existsSync(`${seen}.done`), { timeout: 10_000 });
    const family = [server.pid, ...descendantsOf(server.pid)];

    expect(family.length).toBeGreaterThanOrEqual(4);
    for (const pid of family) {
      for (const file of ["environ", "cmdline"]) {
        expect(readFileSync(`/proc/${pid}/${file}`, "utf8"), `${pid} ${file}`).not.toContain(CANARY);
      }
    }
    expect(readFileSync(seen, "utf8")).toContain("PATH=");
    expect(readFileSync(seen, "utf8")).not.toContain(CANARY);
    expect(server.stdout + server.stderr).not.toContain(CANARY);
    expect((await server.client.get("/health")).status).toBe(200);
    expect(leftovers()).toEqual([]);
  },
);

test("a server whose environment was cleaned drains on SIGTERM as any other", async () => {
  await using place = await makePlace();
  await using server = await new Server(place, { env: { SOMETHING_ELSE: CANARY, WORKERS: "1" } }).ready();

  expect(await server.processes("worker")).toHaveLength(1);
  server.kill("SIGTERM");

  expect(await server.exitCode()).toBe(0);
});

test("SIGUSR1 opens no inspector in any process of the tree", async () => {
  await using place = await makePlace();
  await using server = await new Server(place).ready();
  const family = [server.pid, ...descendantsOf(server.pid)];

  for (const pid of family) process.kill(pid, "SIGUSR1");

  expect((await server.client.chat("/sim tokens=1")).body.reply).toBe("tok1");
  expect(aliveOf(family)).toEqual(family);
  expect(server.stderr).toBe("");
});

/** Files in which variables were handed over. */
function leftovers(): string[] {
  const folder = existsSync("/dev/shm") ? "/dev/shm" : "/tmp";
  return execFileSync("ls", [folder], { encoding: "utf8" })
    .split("\n")
    .filter((name) => name.startsWith("evenkeel-") && /^evenkeel-\d+-\d+$/.test(name));
}
