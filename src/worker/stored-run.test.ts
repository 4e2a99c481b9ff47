/** Troubles of the storage that begin after a request's run was stored: the run goes on, and nobody may pay it twice. */
import { expect, test, vi } from "vitest";
import { AppError } from "../core/errors.ts";
import type { Engine } from "../engine/engine.ts";
import { startCluster } from "../testing/cluster.ts";
import { failing } from "../testing/failing-engine.ts";

const PATIENCE_MS = 10_000;
const away = () => new AppError("STORAGE_UNAVAILABLE", "away", { retryAfterS: 1 });

/** Until a run was stored, all calls work. From then on `fails` decides, by the name of the method and the count of its calls. */
function failingOnceStored(fails: (method: string, calls: number) => Error | undefined) {
  let isStored = false;
  const calls = new Map<string, number>();
  return (engine: Engine) =>
    failing(engine, (method) => {
      if (!isStored) {
        isStored = method === "enqueue";
        return undefined;
      }
      calls.set(method, (calls.get(method) ?? 0) + 1);
      return fails(method, calls.get(method) ?? 0);
    });
}

const messages = [{ role: "user", content: "/sim tokens=2" }];

test.each([
  ["/api/chat", { agent_id: "assistant", message: "/sim tokens=2" }],
  ["/v1/chat/completions", { model: "assistant", messages }],
  ["/v1/responses", { model: "assistant", input: "/sim tokens=2" }],
])("%s replies although each read of the storage fails once after the run was stored", async (path, body) => {
  const failed = new Set<string>();
  const wrapEngine = failingOnceStored((method, calls) => {
    if (!["follow", "run", "events"].includes(method) || calls > 1) return undefined;
    failed.add(method);
    return away();
  });
  await using cluster = await startCluster({ wrapEngine });

  const reply = await cluster.client.post(path, body);

  expect(reply.status).toBe(200);
  expect(JSON.stringify(reply.body)).toContain("tok1 tok2");
  expect([...failed]).toEqual(expect.arrayContaining(["follow", "run"]));
});

test("while the storage is away, who waits for some seconds is told after them where to poll", async () => {
  const wrapEngine = failingOnceStored((method) => (method === "run" ? away() : undefined));
  await using cluster = await startCluster({ wrapEngine, runner: false });

  const { status, headers } = await cluster.client.chat("hello", { run_id: "mine" }, { Prefer: "wait=1" });

  expect([status, headers.get("location")]).toEqual([202, "/api/chat/task/mine"]);
});

test("a client that hangs up while the storage is away cancels its run, if it asked for that", async () => {
  const asked = Promise.withResolvers<void>();
  const wrapEngine = failingOnceStored((method) => {
    if (method !== "run") return undefined;
    asked.resolve();
    return away();
  });
  await using cluster = await startCluster({ wrapEngine, runner: false });
  const hangUp = new AbortController();
  const body = JSON.stringify({ agent_id: "assistant", message: "hi", on_disconnect: "cancel" });
  const headers = { "Content-Type": "application/json" };
  cluster.client.fetch("/api/chat", { method: "POST", headers, body, signal: hangUp.signal }).catch(() => {});
  await asked.promise;

  hangUp.abort();

  const statuses = async () => (await cluster.engine.runs({ limit: 2 })).items.map(({ status }) => status);
  await vi.waitFor(async () => expect(await statuses()).toEqual(["canceled"]), PATIENCE_MS);
});

test("whatever fails after the run was stored names the run, so that no client sends it again by itself", async () => {
  const wrapEngine = failingOnceStored((method) => (method === "run" ? new Error("broken") : undefined));
  await using cluster = await startCluster({ wrapEngine, runner: false });

  const openAi = await cluster.client.post("/v1/chat/completions", { model: "assistant", messages });
  const own = await cluster.client.chat("hello", { run_id: "mine" });

  expect([openAi.status, openAi.headers.get("x-should-retry")]).toEqual([500, "false"]);
  expect(own.body).toMatchObject({ status: 500, code: "INTERNAL", run_id: "mine" });
});
