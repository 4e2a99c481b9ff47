/** What a scrape of the real tree shows, and what it shows after a kill. Real processes. */
import { expect, test, vi } from "vitest";
import { makePlace, Server, startServer } from "./testing/server.ts";

async function scrape(server: Server): Promise<string> {
  return (await server.client.fetch("/metrics")).text();
}

test("one scrape of any worker shows the whole tree", async () => {
  await using server = await startServer({ env: { WORKERS: "2", AGENTS: "2" } });
  await server.client.chat("/sim tokens=20");

  await vi.waitFor(
    async () => {
      const text = await scrape(server);
      for (const place of ["primary 1", "simulator 1", "worker 1", "worker 2", "agent 1", "agent 2"]) {
        const [kind, id] = place.split(" ");
        expect(text).toContain(`evenkeel_process_ready{kind="${kind}",id="${id}"} 1\n`);
        expect(text).toMatch(new RegExp(`evenkeel_process_resident_memory_bytes{kind="${kind}",id="${id}"} \\d+\n`));
      }
      expect(text).toContain('evenkeel_runs{kind="primary",id="1",status="running"} 0\n');
      for (const type of ["queued", "started", "completed"])
        expect(text).toContain(`evenkeel_activities_total{kind="primary",id="1",type="run.${type}"} 1\n`);
      expect(text).toContain('evenkeel_activities_total{kind="primary",id="1",type="run.failed"} 0\n');
      for (const id of [1, 2]) {
        expect(text).toContain(`evenkeel_stream_viewers{kind="worker",id="${id}"} `);
        expect(text).toContain(`evenkeel_health_seconds{kind="worker",id="${id}",quantile="0.99"} `);
        expect(text).toContain(`evenkeel_model_calls{kind="agent",id="${id}"} 0\n`);
      }
      expect(text).toMatch(/evenkeel_output_tokens_total{kind="agent",id="[12]"} [1-9]/);
    },
    { timeout: 5_000, interval: 50 },
  );

  const { headers } = await server.client.fetch("/metrics");
  expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
});

test("requests are counted by key, over all workers, and never by user", async () => {
  await using server = await startServer({ key: "secret-of-the-test" });
  for (let asked = 0; asked < 20; asked += 1) await server.client.get("/api/runs");
  await server.client.fetch("/health");
  await vi.waitFor(
    async () => {
      const counts = [
        ...(await scrape(server)).matchAll(/^evenkeel_requests_total{kind="worker",id="\d+",key="(\w+)"} (\d+)$/gm),
      ];
      expect(new Set(counts.map(([, key]) => key))).toEqual(new Set(["test"]));
      expect(counts.reduce((sum, [, , count]) => sum + Number(count), 0)).toBeGreaterThanOrEqual(20);
    },
    { timeout: 5_000, interval: 50 },
  );
});

test("a killed worker shows in restarts and in why it died last, everywhere", async () => {
  await using server = await startServer();
  const [victim] = await server.processes("worker");
  expect(victim).toMatchObject({ restarts: 0, last_exit: null });

  process.kill(victim?.pid ?? 0, "SIGKILL");
  await vi.waitFor(
    async () => {
      const [successor] = await server.processes("worker");
      expect(successor).toMatchObject({ state: "ready", restarts: 1, last_exit: { reason: "SIGKILL" } });
      const killedMsAgo = Date.now() - (successor?.last_exit?.at ?? 0);
      expect(killedMsAgo).toBeGreaterThanOrEqual(0);
      expect(killedMsAgo).toBeLessThan(5_000);
      expect(await scrape(server)).toContain('evenkeel_process_restarts_total{kind="worker",id="1"} 1\n');
    },
    { timeout: 5_000, interval: 50 },
  );
});

test("with PORT=0 the banner names the port that the system chose", async () => {
  await using place = await makePlace();
  await using server = new Server({ ...place, port: 0 });

  await vi.waitFor(() => expect(server.stdout).toContain("processes "), { timeout: 15_000, interval: 25 });

  const [url = ""] = /http:\/\/127\.0\.0\.1:[1-9]\d+/.exec(server.stdout) ?? [];
  expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: "ok" });
});
