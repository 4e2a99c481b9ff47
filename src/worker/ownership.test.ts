/**
 * G4: what belongs to one principal does not exist for others. The routes come from the contract, so that none is
 * forgotten.
 */
import { expect, test } from "vitest";
import type { Route } from "../api/route.ts";
import { ROUTES } from "../api/routes.ts";
import { may, type Role } from "../core/principal.ts";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { SocketClient } from "../testing/socket.ts";

const keyOf = (name: string, role: Role) => ({ name, secret: `${name}-secret-1`, role });
const KEYS = {
  root: keyOf("root", "admin"),
  ana: keyOf("ana", "client"),
  bob: keyOf("bob", "client"),
  eve: keyOf("eve", "viewer"),
};
type Name = keyof typeof KEYS;

/** A text in the title and message of Ana's run. */
const MARK = "only-ana-knows";
const GUARDED = ROUTES.filter(({ access, lane }) => access !== "anyone" && lane !== "upgrade");
const OF_ONE = GUARDED.filter(({ path }) => /\{(run|thread|task|response)_id\}/.test(path));

function startWithKeys(): Promise<Cluster> {
  return startCluster({ settings: { apiKeys: Object.values(KEYS) }, runner: false });
}

async function startWithAna(): Promise<Cluster> {
  const cluster = await startWithKeys();
  const body = { agent_id: "assistant", message: MARK, run_id: "mine", thread_id: "mine" };
  const { status } = await cluster.client.post("/api/chat/async", body, authorize("ana"));
  if (status !== 202) throw new Error(`Expected 202, got ${status}.`);
  return cluster;
}

function authorize(name: Name): Record<string, string> {
  return { Authorization: `Bearer ${KEYS[name].secret}` };
}

/** Sends a request without a body to a route; all ids in its path are `id`. */
async function ask(
  { client }: Cluster,
  { method, path }: Route,
  { id = "mine", headers }: { id?: string; headers: Record<string, string> },
) {
  const target = path.replace("{response_id}", `resp_${id}`).replace(/\{\w+\}/, id);
  const { status, body } = await client.ask(target, { method, headers });
  return { status, text: JSON.stringify(body) };
}

const nameOf = ({ method, path }: Route) => `${method} ${path}`;

test("every route is 401 without a key and with a wrong one, and no model is called", async () => {
  await using cluster = await startWithKeys();
  // Ask all at once, because a client that guesses keys waits for each answer.
  const refusals = GUARDED.flatMap((route) =>
    ["", "Bearer wrong-secret"].map(async (authorization) => {
      const { status } = await ask(cluster, route, { headers: { Authorization: authorization } });
      return [nameOf(route), authorization, status];
    }),
  );

  const allowed = (await Promise.all(refusals)).filter(([, , status]) => status !== 401);
  expect(allowed).toEqual([]);
  expect(GUARDED.length).toBeGreaterThan(20);
  expect(cluster.simulator.stats().requests).toBe(0);
});

test.each<Name>(["eve", "bob"])(
  "%s's role is let in where the contract says so, and is 403 elsewhere",
  async (name) => {
    await using cluster = await startWithKeys();

    for (const route of GUARDED) {
      const { status } = await ask(cluster, route, { headers: authorize(name) });
      const isAllowed = may({ id: name, role: KEYS[name].role, via: name }, route.access);
      expect([nameOf(route), status === 403]).toEqual([nameOf(route), !isAllowed]);
      expect([nameOf(route), status]).not.toContain(401);
    }
  },
);

test("to another's key a run, thread, task or response looks exactly as one that does not exist", async () => {
  await using cluster = await startWithAna();

  for (const route of OF_ONE) {
    const headers = authorize("bob");
    const mine = await ask(cluster, route, { headers });
    const none = await ask(cluster, route, { id: "none", headers });
    expect([nameOf(route), mine.status]).toEqual([nameOf(route), none.status]);
    expect([nameOf(route), mine.text]).not.toContain(MARK);
  }

  expect(OF_ONE.length).toBeGreaterThan(7);
  expect((await cluster.engine.run("mine"))?.status).toBe("queued");
});

test("no read of another's key shows what is Ana's; hers, the viewer's and the admin's do", async () => {
  await using cluster = await startWithAna();
  // Leave out streams: for the owner, a stream lasts as long as the run.
  const reads = GUARDED.filter(({ method, path }) => method === "GET" && !path.endsWith("/stream"));
  const shownTo = async (name: Name) => {
    const texts = await Promise.all(reads.map((route) => ask(cluster, route, { headers: authorize(name) })));
    return reads
      .filter((_, index) => /mine|only-ana/.test(texts[index]?.text ?? "") && texts[index]?.status === 200)
      .map(nameOf);
  };

  expect(await shownTo("bob")).toEqual([]);
  const hers = await shownTo("ana");
  expect(hers).toEqual(
    expect.arrayContaining(["GET /api/runs", "GET /api/threads", "GET /api/activities", "GET /api/runs/{run_id}"]),
  );
  expect(await shownTo("eve")).toEqual(hers);
  expect(await shownTo("root")).toEqual(hers);
});

test.each([
  ["/api/chat/async", { agent_id: "assistant", message: "hello", thread_id: "mine" }],
  ["/api/chat/stream", { agent_id: "assistant", message: "hello", thread_id: "mine" }],
  ["/api/chat", { id: "mine", messages: [{ id: "1", role: "user", parts: [{ type: "text", text: "hello" }] }] }],
  ["/v1/chat/completions", { model: "assistant", messages: [{ role: "user", content: "hello" }], thread_id: "mine" }],
  ["/v1/responses", { model: "assistant", input: "hello", previous_response_id: "resp_mine" }],
  [
    "/api/agui/assistant",
    {
      threadId: "mine",
      runId: "r",
      messages: [{ id: "1", role: "user", content: "hello" }],
      tools: [],
      context: [],
      state: {},
      forwardedProps: {},
    },
  ],
])("%s does not go on with another's thread", async (path, body) => {
  await using cluster = await startWithAna();

  const { status } = await cluster.client.post(path, body, authorize("bob"));

  expect(status).toBe(404);
  expect((await cluster.engine.runs({ threadId: "mine", limit: 10 })).items).toHaveLength(1);
});

test("an admin goes on with anybody's thread, and ends anybody's run", async () => {
  await using cluster = await startWithAna();

  const body = { agent_id: "assistant", message: "hello", thread_id: "mine" };
  expect((await cluster.client.post("/api/chat/async", body, authorize("root"))).status).toBe(202);
  expect((await cluster.client.post("/api/runs/mine/cancel", {}, authorize("root"))).status).toBe(200);
});

const connect = ({ client }: Cluster, name: Name) => SocketClient.connect(client.url, { headers: authorize(name) });

test.each([
  [{ op: "subscribe", channel: "run", run_id: "mine" }, "RUN_NOT_FOUND"],
  [{ op: "cancel", run_id: "mine" }, "RUN_NOT_FOUND"],
  [{ op: "chat", agent_id: "assistant", message: "hello", thread_id: "mine" }, "THREAD_NOT_FOUND"],
  [{ op: "subscribe", channel: "processes" }, "FORBIDDEN"],
])("over the socket %j of another is %s", async (request, code) => {
  await using cluster = await startWithAna();
  await using socket = await connect(cluster, "bob");

  expect((await socket.ask(request)).error?.code).toBe(code);
});

test("a viewer watches over the socket, and neither chats nor cancels", async () => {
  await using cluster = await startWithAna();
  await using socket = await connect(cluster, "eve");

  expect(await socket.ask({ op: "subscribe", channel: "run", run_id: "mine" })).toMatchObject({ ok: true });
  expect((await socket.ask({ op: "chat", agent_id: "assistant", message: "hello" })).error?.code).toBe("FORBIDDEN");
  expect((await socket.ask({ op: "cancel", run_id: "mine" })).error?.code).toBe("FORBIDDEN");
});

test("each sees of the feed over the socket what is its own, in order, from before and live", async () => {
  await using cluster = await startWithAna();
  const begin = (name: Name, runId: string) =>
    cluster.client.post("/api/chat/async", { agent_id: "assistant", message: "hi", run_id: runId }, authorize(name));
  await using bob = await connect(cluster, "bob");
  await using eve = await connect(cluster, "eve");
  for (const [name, runId] of [
    ["bob", "b1"],
    ["ana", "a1"],
  ] as const)
    await begin(name, runId);
  const own = bob.send({ op: "subscribe", channel: "activities", after: 0 });
  const all = eve.send({ op: "subscribe", channel: "activities", after: 0 });
  await bob.until(({ id, event }) => id === own && event?.["run_id"] === "b1");

  for (let count = 0; count < 90; count += 1) await begin("ana", `many${count}`);
  await begin("bob", "b2");
  await bob.until(({ id, event }) => id === own && event?.["run_id"] === "b2");
  await eve.until(({ id, event }) => id === all && event?.["run_id"] === "b2");

  expect(bob.eventsOf(own).map(({ event }) => event?.["run_id"])).toEqual(["b1", "b2"]);
  expect(eve.eventsOf(all)).toHaveLength(94);
});

test("a client sees its runs live over the socket although nobody else watches", async () => {
  await using cluster = await startWithKeys();
  await using ana = await connect(cluster, "ana");
  const feed = ana.send({ op: "subscribe", channel: "activities" });
  await ana.answerTo(feed);

  // In turn: the first read of the feed may still find the first run.
  for (const runId of ["r1", "r2", "r3"]) {
    const body = { agent_id: "assistant", message: "hi", run_id: runId };
    await cluster.client.post("/api/chat/async", body, authorize("ana"));
    await ana.until(({ id, event }) => id === feed && event?.["run_id"] === runId);
  }

  expect(ana.eventsOf(feed).map(({ event }) => event?.["run_id"])).toEqual(["r1", "r2", "r3"]);
});
