/** RETAIN_FILES on a real server: what no thread names goes by itself, and what a thread names stays. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test, vi } from "vitest";
import { makePlace, Server } from "./testing/server.ts";

const PATIENCE = { timeout: 15_000, interval: 100 };

test("an old file that no thread names goes by itself, one that a thread names stays, and a new one, too", async () => {
  await using place = await makePlace();
  await using server = await new Server(place, { env: { RETAIN_FILES: "1h" } }).ready();
  const [unused, used] = [await upload(server, "unused"), await upload(server, "used")];
  const data = Buffer.from("sent along").toString("base64");
  const sent = { type: "document", source: { type: "base64", media_type: "text/plain", data } };
  const { status } = await server.client.chat([naming(used), sent], { thread_id: "thread" });
  ageFiles(place.dataDir);
  const young = await upload(server, "young");

  await vi.waitFor(async () => expect(await statusOf(server, unused)).toBe(404), PATIENCE);

  const { body } = await server.client.get("/api/files");
  expect({ status, names: (body["files"] as { name: string }[]).map(({ name }) => name) }).toEqual({
    status: 200,
    names: ["young", "document", "used"],
  });
  expect([await statusOf(server, used), await statusOf(server, young)]).toEqual([200, 200]);
  expect(await server.client.chat([naming(unused)])).toMatchObject({ status: 404, body: { code: "FILE_NOT_FOUND" } });
});

async function upload(server: Server, name: string): Promise<string> {
  const { body } = await server.client.ask(`/api/files?name=${name}`, { method: "POST", body: `${name} notes` });
  return String(body["file_id"]);
}

async function statusOf(server: Server, fileId: string): Promise<number> {
  const { status } = await server.client.get(`/api/files/${fileId}`);
  return status;
}

function naming(fileId: string) {
  return { type: "document", source: { type: "file", file_id: fileId } };
}

/** Two hours pass for the files that are there. */
function ageFiles(dataDir: string): void {
  using db = new DatabaseSync(join(dataDir, "evenkeel.db"), { timeout: 5_000 });
  db.exec("UPDATE files SET idle_since = idle_since - 7200000");
}
