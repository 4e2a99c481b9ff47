import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { assertPortFree } from "./port.ts";

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
