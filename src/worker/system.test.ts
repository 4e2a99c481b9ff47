import { expect, test } from "vitest";
import { defineAgents } from "../core/agent.ts";
import { startCluster } from "../testing/cluster.ts";

test("health is a few bytes that nobody may cache", async () => {
  await using cluster = await startCluster({ runner: false });

  const { status, headers, body } = await cluster.client.get("/health");

  expect({ status, body }).toEqual({ status: 200, body: { status: "ok" } });
  expect(headers.get("cache-control")).toBe("no-store");
});

test("health answers under a query string too, as monitors send one against caches", async () => {
  await using cluster = await startCluster({ runner: false });

  expect((await cluster.client.get("/health?t=1")).status).toBe(200);
});

test("ready says what is missing, each by its name", async () => {
  await using cluster = await startCluster({ runner: false });

  const { status, body } = await cluster.client.get("/ready");

  expect(status).toBe(503);
  expect(body).toEqual({
    status: "not_ready",
    checks: { storage: "ok", agents: "no agent is ready", model: "no simulator is ready", worker: "ok" },
    bus: null,
  });
});

test("info tells version, mode, engine and agents, and no secret", async () => {
  const secret = "canary-5f2e";
  const model = { simulated: false, apiKey: secret, baseUrl: null, authorization: null, proxy: {} };
  const apiKeys = [{ name: "ana", secret: `${secret}-key` }];
  await using cluster = await startCluster({ runner: false, settings: { model, apiKeys } });

  const { body } = await cluster.client.get("/info");

  expect(body).toMatchObject({
    name: "evenkeel",
    mode: "production",
    engine: { driver: "sqlite", runs: { queued: 0, running: 0 } },
    agents: ["assistant", "analyst", "planner", "greeter"],
  });
  expect(JSON.stringify(body)).not.toContain(secret);
});

test("agents are listed with tools, limits and price, without their system prompts", async () => {
  await using cluster = await startCluster({ runner: false });

  const { body } = await cluster.client.get("/api/agents");

  expect((body["agents"] as object[])[0]).toEqual({
    agent_id: "assistant",
    model: expect.any(String),
    description: expect.any(String),
    tools: ["current_time", "calculate", "fetch_url"],
    mcp: [],
    delegates: expect.any(Array),
    limits: { max_tokens: 4096, max_steps: 40, timeout_ms: 600_000 },
    price: { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 },
  });
  expect(JSON.stringify(body)).not.toContain("Use your tools when");
});

test("agents are listed with those that they may hand work to", async () => {
  const agents = defineAgents({ lead: { model: "m", delegates: ["helper"] }, helper: { model: "m" } });
  await using cluster = await startCluster({ runner: false, agents });

  const { body } = await cluster.client.get("/api/agents");

  expect(body["agents"]).toMatchObject([
    { agent_id: "lead", delegates: ["helper"] },
    { agent_id: "helper", delegates: [] },
  ]);
});
