import { expect, onTestFinished, test, vi } from "vitest";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { listRuns } from "./runs.ts";

test("runs are listed up to the limit, also when the server's pages are shorter", async () => {
  await using cluster = await startCluster();
  for (const id of ["first", "second", "third", "fourth"])
    await cluster.client.post("/api/chat", { agent_id: "assistant", message: "hi", run_id: id });
  const { fetch } = globalThis;
  vi.spyOn(globalThis, "fetch").mockImplementation((input, init) =>
    fetch(new Request(input).url.replace(/limit=\d+/, "limit=1"), init),
  );
  const printed = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  onTestFinished(() => void vi.restoreAllMocks());
  await listRuns({ server: cluster.client.url, limit: 3 });

  const [table] = printed.mock.calls.map(([text]) => String(text));
  expect(table?.match(/^(first|second|third|fourth) /gm)).toEqual(["fourth ", "third ", "second "]);
});

/** Runs the command against a server which refuses `parked` as an unknown parameter, as older versions do. */
async function listedBefore({ client }: Cluster, status: "running" | "parked" | "completed"): Promise<string> {
  const { fetch } = globalThis;
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const response = await fetch(new Request(input).url.replace("parked=", "unknown="), init);
    return new Response((await response.text()).replaceAll("unknown", "parked"), response);
  });
  const printed = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  onTestFinished(() => void vi.restoreAllMocks());
  await listRuns({ server: client.url, limit: 20, status });
  return printed.mock.calls.map(([text]) => String(text)).join("");
}

test.each(["running", "completed"] as const)("runs that are %s are listed by an older server, too", async (status) => {
  await using cluster = await startCluster();
  await cluster.client.begin("/sim tokens=4000 rate=20", { run_id: "long" });
  await cluster.client.post("/api/chat", { agent_id: "assistant", message: "hi", run_id: "short" });
  const listed = await listedBefore(cluster, status);
  expect([/^long /m.test(listed), /^short /m.test(listed)]).toEqual([status === "running", status === "completed"]);
});

test("an older server is said not to know parked runs, and how to find them", async () => {
  await using cluster = await startCluster();
  await expect(listedBefore(cluster, "parked")).rejects.toThrow(/does not know parked runs.*--status running/);
});
