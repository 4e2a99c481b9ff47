import { expect, test } from "vitest";
import { ROUTES } from "../api/routes.ts";
import { startCluster } from "../testing/cluster.ts";

const API_READS = ROUTES.filter(
  ({ method, access, lane }) => method === "GET" && access !== "anyone" && lane !== "upgrade",
);

test("no answer of the API is kept by a cache, guessed at, or embedded by a page of another origin", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=1", { run_id: "mine", thread_id: "mine" });
  const paths = API_READS.map(({ path }) => path.replace(/\{\w+\}/, "mine"));

  for (const path of [...paths, "/api/nothing", "/api/runs?limit=0"]) {
    const { headers } = await cluster.client.get(path);
    expect([path, headers.get("x-content-type-options")]).toEqual([path, "nosniff"]);
    expect([path, headers.get("cross-origin-resource-policy")]).toEqual([path, "same-origin"]);
    // The feed has an ETag: its reader may keep the answer, and ask whether it changed.
    const cache = path === "/api/activities" ? "private, no-cache" : "no-store";
    expect([path, headers.get("cache-control")]).toEqual([path, cache]);
  }
  expect(paths.length).toBeGreaterThan(10);
});

test("a page of another site reads nothing through a visitor's browser but what anyone may", async () => {
  await using cluster = await startCluster();
  await cluster.client.chat("/sim tokens=1", { run_id: "mine", thread_id: "mine" });

  for (const { path, access } of ROUTES.filter(({ method, lane }) => method === "GET" && lane !== "upgrade")) {
    const target = path.replace(/\{\w+\}/, "mine");
    const ask = async (site: string) => (await cluster.client.get(target, { "Sec-Fetch-Site": site })).status;
    expect([path, (await ask("cross-site")) === 403]).toEqual([path, access !== "anyone"]);
    for (const site of ["same-origin", "same-site", "none"]) expect([path, await ask(site)]).not.toContain(403);
  }
});
