/** Delegated runs in the streams of our own client, against a real server. */
import { expect, test } from "vitest";
import { defineAgents } from "../core/agent.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { Evenkeel, type ClientEvent } from "./client.ts";

const AGENTS = defineAgents({
  lead: { model: "m", delegates: ["helper"] },
  helper: { model: "m", delegates: ["helper"] },
});

/** Breaks off each of the first answers while a delegated run is shown. */
function breakingFetch(times: number): { readonly fetch: typeof fetch; readonly breaks: () => number } {
  let breaks = 0;
  return {
    breaks: () => breaks,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (breaks >= times || !response.body) return response;
      let left = 3;
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(chunk);
          if (!new TextDecoder().decode(chunk).includes("subagentRunId")) return;
          left -= 1;
          if (left > 0) return;
          breaks += 1;
          controller.error(new TypeError("terminated"));
        },
      });
      return new Response(response.body.pipeThrough(cut), response);
    },
  };
}

function clientOf({ port }: Cluster, fetch = globalThis.fetch): Evenkeel {
  return new Evenkeel({ baseUrl: `http://127.0.0.1:${port}`, fetch });
}

const delegate = (message: string) => `/sim tool=delegate input=${JSON.stringify({ agent_id: "helper", message })}`;

/** Runs that work side by side have no order among each other. */
function byRun(events: readonly ClientEvent[]): object {
  return Object.fromEntries(
    [...Map.groupBy(events, ({ subagentRunId = "own" }) => subagentRunId)].map(([runId, own]) => [
      runId,
      own.map(({ seq, type }) => `${seq} ${type}`),
    ]),
  );
}

test("over connections that break a stream has each event of the delegated runs once", async () => {
  await using cluster = await startCluster({ agents: AGENTS });
  const { fetch, breaks } = breakingFetch(4);
  const message = delegate(delegate("/sim tokens=60 rate=60"));
  const chat = { agent_id: "lead", message, subagents: "inline", run_id: "mine" } as const;

  const events = await Array.fromAsync(clientOf(cluster, fetch).stream(chat));

  expect(breaks()).toBe(4);
  const types = events.map(({ type }) => type);
  expect(types.filter((type) => type === "SUBAGENT_STARTED")).toHaveLength(2);
  expect(types.filter((type) => type === "SUBAGENT_FINISHED")).toHaveLength(2);
  expect(types.at(-1)).toBe("RUN_FINISHED");
  const whole = await Array.fromAsync(clientOf(cluster).follow("mine", { subagents: "inline" }));
  expect(byRun(events)).toEqual(byRun(whole));
});

test("a delegated run that was deleted is shown as begun and failed, once", async () => {
  await using cluster = await startCluster({ agents: AGENTS });
  await cluster.client.chat(delegate("/sim tokens=1"), { agent_id: "lead", run_id: "mine" });
  const { body } = await cluster.client.get("/api/runs?parent_run_id=mine");
  const [child] = body["runs"] as { thread_id: string }[];
  await cluster.client.fetch(`/api/threads/${child?.thread_id}`, { method: "DELETE" });
  const { fetch } = breakingFetch(1);

  const events = await Array.fromAsync(clientOf(cluster, fetch).follow("mine", { subagents: "inline" }));

  const types = events.flatMap(({ type, subagentRunId }) => (subagentRunId === undefined ? [] : [type]));
  expect(types).toEqual(["SUBAGENT_STARTED", "SUBAGENT_ERROR"]);
});

test("without `subagents` a stream has only the run's own events", async () => {
  await using cluster = await startCluster({ agents: AGENTS });

  const events = await Array.fromAsync(
    clientOf(cluster).stream({ agent_id: "lead", message: delegate("/sim tokens=1") }),
  );

  expect(events.filter(({ subagentRunId }) => subagentRunId !== undefined)).toEqual([]);
});
