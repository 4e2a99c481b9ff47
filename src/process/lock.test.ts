import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lockFolder } from "./lock.ts";
import { assertPortFree } from "./port.ts";

async function makeFolder() {
  const path = await mkdtemp(join(tmpdir(), "evenkeel-lock-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

test("a folder has one holder at a time, and is made when it does not exist", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "new", "data");

  const first = lockFolder(path);
  expect(first).toBeDefined();
  expect(lockFolder(path)).toBeUndefined();
  first?.release();
  first?.release();
  const second = lockFolder(path);

  expect(second).toBeDefined();
  second?.release();
});

test("a taken port is told, a free one is left free", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  await expect(assertPortFree("127.0.0.1", port)).rejects.toMatchObject({ code: "EADDRINUSE" });
  await expect(assertPortFree("0.0.0.0", port)).rejects.toMatchObject({ code: "EADDRINUSE" });
  server.close();
  await once(server, "close");

  await expect(assertPortFree("127.0.0.1", port)).resolves.toBeUndefined();
  await expect(assertPortFree("127.0.0.1", port)).resolves.toBeUndefined();
});

test("an address that is not this machine's is told", async () => {
  await expect(assertPortFree("203.0.113.1", 0)).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
});
