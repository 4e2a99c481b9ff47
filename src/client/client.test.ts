/** Our own client against a real server, also over connections that break. */
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { expect, test } from "vitest";
import { startCluster, type Cluster } from "../testing/cluster.ts";
import { seeded } from "../testing/random.ts";
import { ConnectionError, Evenkeel, type ClientEvent, type EvenkeelOptions } from "./client.ts";

function clientOf({ port }: Cluster, options: EvenkeelOptions = {}): Evenkeel {
  return new Evenkeel({ baseUrl: `http://127.0.0.1:${port}`, ...options });
}

/** A fetch whose every second response breaks off in its body, after a few chunks; and every fifth request is lost. */
function breakingFetch(): { readonly fetch: typeof fetch; readonly breaks: () => number } {
  const random = seeded(7);
  let asked = 0;
  let breaks = 0;
  return {
    breaks: () => breaks,
    fetch: async (input, init) => {
      asked += 1;
      if (asked % 5 === 4) throw new TypeError("fetch failed");
      const response = await fetch(input, init);
      if (asked % 2 === 0 || !response.body) return response;
      let left = 1 + random(4);
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          left -= 1;
          // Breaks off in the middle of an event, as a broken connection does.
          if (left > 0) return controller.enqueue(chunk);
          breaks += 1;
          controller.enqueue(chunk.slice(0, chunk.length / 2));
          controller.error(new TypeError("terminated"));
        },
      });
      return new Response(response.body.pipeThrough(cut), response);
    },
  };
}

function textOf(events: readonly ClientEvent[]): string {
  return events.map((event) => (event.type === "TEXT_MESSAGE_CONTENT" ? event.delta : "")).join("");
}

test("a chat is answered, with the types of the contract", async () => {
  await using cluster = await startCluster();
  const { reply, status, usage } = await clientOf(cluster).chat({ agent_id: "assistant", message: "calculate 6 * 7" });
  expect({ status, hasTokens: usage.output_tokens > 0 }).toEqual({ status: "completed", hasTokens: true });
  expect(reply).toContain("42");
});

test("over connections that break a stream has every event once, in order, and begins one run", async () => {
  await using cluster = await startCluster();
  const { fetch, breaks } = breakingFetch();
  const chat = { agent_id: "assistant", message: "/sim tokens=120 rate=100" };
  const events = await Array.fromAsync(clientOf(cluster, { fetch }).stream(chat));
  expect(breaks()).toBeGreaterThan(0);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(textOf(events)).toMatch(/^tok1 .* tok120$/s);
  expect(events.at(-1)?.type).toBe("RUN_FINISHED");
  expect((await cluster.engine.runs({ limit: 10 })).items).toHaveLength(1);
});

test("a stream that a proxy keeps open, though its server is gone, is opened again", async () => {
  await using cluster = await startCluster();
  let streams = 0;
  const silentFetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    streams += 1;
    if (streams > 1 || !response.body) return response;
    let isStuck = false;
    const stuck = new TransformStream<Uint8Array, Uint8Array>({
      // Only the first event passes, however many come in one chunk: on a busy machine a whole run does.
      transform(chunk, controller) {
        if (isStuck) return;
        isStuck = true;
        controller.enqueue(chunk.subarray(0, new TextDecoder().decode(chunk).indexOf("\n\n") + 2));
      },
      flush: () => new Promise(() => {}),
    });
    return new Response(response.body.pipeThrough(stuck), response);
  };
  const client = clientOf(cluster, { fetch: silentFetch, silentAfterMs: 3_000 });

  const events: ClientEvent[] = [];
  for await (const event of client.stream({ agent_id: "assistant", message: "/sim tokens=20" })) events.push(event);

  expect(streams).toBe(2);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.at(-1)?.type).toBe("RUN_FINISHED");
});

test("after a quiet while that was longer than `giveUpAfterMs`, a stream that is cut goes on", async () => {
  await using cluster = await startCluster();
  let streams = 0;
  const quietFetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    streams += 1;
    if (streams > 2) return response;
    await response.body?.cancel();
    return new Response(cutAfter(Array.from({ length: 10 }, () => ": ping\n\n")), response);
  };
  const client = clientOf(cluster, { fetch: quietFetch, giveUpAfterMs: 300, silentAfterMs: 10_000 });

  const events = await Array.fromAsync(client.stream({ agent_id: "assistant", message: "/sim tokens=20" }));

  expect(streams).toBe(3);
  expect(events.at(-1)?.type).toBe("RUN_FINISHED");
});

test("a stream that is always cut before anything comes is given up", async () => {
  const client = new Evenkeel({ fetch: async () => new Response(cutAfter([])), giveUpAfterMs: 300 });
  await expect(Array.fromAsync(client.follow("r"))).rejects.toBeInstanceOf(ConnectionError);
});

/** A body that breaks off behind these texts, of which one comes each 50 ms. */
function cutAfter(texts: readonly string[]): ReadableStream<Uint8Array> {
  const left = [...texts];
  return new ReadableStream({
    async pull(controller) {
      const next = left.shift();
      if (next === undefined) return controller.error(new TypeError("terminated"));
      await new Promise((resolve) => setTimeout(resolve, 50));
      controller.enqueue(new TextEncoder().encode(next));
    },
  });
}

const NEWLINES = Array.from({ length: 10 }, () => "\n");

/** A body that never ends. */
function stuckAfter(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) });
}

test.each([
  ["at once", () => cutAfter([])],
  // Longer than `giveUpAfterMs`.
  ["after it has waited", () => cutAfter(NEWLINES)],
  ["in the middle of the answer", () => cutAfter(["\n", '{"reply": "you'])],
  ["in the error of a run that failed late", () => cutAfter(["\n", JSON.stringify({ code: "INTERNAL", status: 500 })])],
  ["by a proxy that does not say so", () => stuckAfter("\n")],
])("a chat whose answer is cut %s is asked for again, and is one run", async (_, body) => {
  await using cluster = await startCluster();
  let asked = 0;
  const cuttingFetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    asked += 1;
    return asked === 1 ? new Response(body(), { headers: { "Content-Type": "application/json" } }) : response;
  };
  const client = clientOf(cluster, { fetch: cuttingFetch, giveUpAfterMs: 300, silentAfterMs: 5_000 });

  const { reply } = await client.chat({ agent_id: "assistant", message: "calculate 6 * 7" });

  expect(reply).toContain("42");
  expect(asked).toBe(2);
  expect((await cluster.engine.runs({ limit: 10 })).items).toHaveLength(1);
});

test("a refusal whose body never ends holds nobody up", async () => {
  await using cluster = await startCluster();
  let asked = 0;
  const stuckFetch: typeof fetch = (input, init) => {
    asked += 1;
    return asked === 1 ? Promise.resolve(new Response(stuckAfter("{"), { status: 503 })) : fetch(input, init);
  };

  const { runs } = await clientOf(cluster, { fetch: stuckFetch, silentAfterMs: 3_000 }).runs();

  expect(runs).toEqual([]);
  expect(asked).toBe(2);
});

test("a request that the server did not read in time is sent again", async () => {
  await using cluster = await startCluster();
  let asked = 0;
  const lateFetch: typeof fetch = (input, init) => {
    asked += 1;
    const problem = { code: "REQUEST_TIMEOUT", title: "", status: 408, detail: "", request_id: "" };
    return asked === 1 ? Promise.resolve(Response.json(problem, { status: 408 })) : fetch(input, init);
  };

  const { run_id: runId } = await clientOf(cluster, { fetch: lateFetch }).begin({
    agent_id: "assistant",
    message: "hi",
  });

  expect(asked).toBe(2);
  expect((await cluster.engine.runs({ limit: 10 })).items).toMatchObject([{ run_id: runId }]);
});

test("an answer that is always cut is given up, and a notice is not posted twice", async () => {
  let asked = 0;
  const fetch = async () => {
    asked += 1;
    return new Response(cutAfter(['{"runs":']));
  };
  const client = new Evenkeel({ fetch, giveUpAfterMs: 500 });
  await expect(client.runs()).rejects.toBeInstanceOf(ConnectionError);
  expect(asked).toBeGreaterThan(1);
  asked = 0;
  await expect(client.notify({ role: "operator", content: "done" })).rejects.toBeInstanceOf(ConnectionError);
  expect(asked).toBe(1);
});

test("a run is begun, watched from any position, asked for and canceled", async () => {
  await using cluster = await startCluster();
  const client = clientOf(cluster);
  const { run_id: runId } = await client.begin({ agent_id: "assistant", message: "/sim tokens=6000 rate=60" });
  // A position that the run has not reached yet is refused.
  for await (const { seq } of client.follow(runId)) if (seq === 3) break;
  for await (const { seq } of client.follow(runId, { after: 3 })) {
    expect(seq).toBe(4);
    break;
  }
  expect(await client.task(runId)).toMatchObject({ task_id: runId, status: "running" });
  await client.cancel(runId);
  const events = await Array.fromAsync(client.follow(runId));
  expect(events.at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "cancelled" } });
  expect((await client.runs({ limit: 1 })).runs).toMatchObject([{ run_id: runId, status: "canceled" }]);
});

test("threads, agents and activities are there", async () => {
  await using cluster = await startCluster();
  const client = clientOf(cluster);
  await client.chat({ agent_id: "assistant", message: "Hello", thread_id: "t" });
  expect((await client.threads()).threads).toMatchObject([{ thread_id: "t", title: "Hello" }]);
  expect((await client.thread("t")).messages[0]).toMatchObject({ role: "user", content: "Hello" });
  expect((await client.agents()).agents.map(({ agent_id: id }) => id)).toContain("assistant");
  await client.notify({ role: "operator", content: "done" });
  expect((await client.activities({ type: "notice" })).activities).toHaveLength(1);
  await client.deleteThread("t");
  await expect(client.thread("t")).rejects.toMatchObject({ code: "THREAD_NOT_FOUND", status: 404 });
});

test("a file is uploaded, listed, read and deleted", async () => {
  await using cluster = await startCluster();
  const client = clientOf(cluster);
  const { file_id: fileId, name } = await client.upload(new Blob(["Remember the milk."]), { name: "notes.txt" });
  expect(name).toBe("notes.txt");
  expect(await (await client.file(fileId)).text()).toBe("Remember the milk.");
  let asked = 0;
  const cuttingFetch: typeof fetch = (input, init) => {
    asked += 1;
    return asked === 1 ? Promise.resolve(new Response(cutAfter(["Remember"]))) : fetch(input, init);
  };
  const again = await clientOf(cluster, { fetch: cuttingFetch }).file(fileId);
  expect([again.type, await again.text()]).toEqual([(await client.file(fileId)).type, "Remember the milk."]);
  expect(await client.files({ limit: 1 })).toMatchObject({ files: [{ file_id: fileId, name }], bytes: 18 });
  await client.deleteFile(fileId);
  expect(await client.files()).toMatchObject({ files: [], next: null, bytes: 0 });
  await expect(client.file(fileId)).rejects.toMatchObject({ code: "FILE_NOT_FOUND" });
});

test("a run that fails is an error with its code and its run", async () => {
  await using cluster = await startCluster();
  const chat = { agent_id: "assistant", message: "/sim status=401", run_id: "mine" };
  await expect(clientOf(cluster).chat(chat)).rejects.toMatchObject({ code: "MODEL_UNAUTHORIZED", runId: "mine" });
});

test.each([500, 502, 520])("a proxy that answers %i while the server is away is asked again", async (status) => {
  await using cluster = await startCluster();
  let asked = 0;
  const client = clientOf(cluster, {
    fetch: async (input, init) => {
      asked += 1;
      return asked === 1 ? new Response("<h1>Something is wrong</h1>", { status }) : fetch(input, init);
    },
  });
  expect((await client.chat({ agent_id: "assistant", message: "calculate 6 * 7" })).reply).toContain("42");
  expect(asked).toBe(2);
});

test("a server that cannot be reached is given up in time, and a caller may give up sooner", async () => {
  const nobody = new Evenkeel({ baseUrl: "http://127.0.0.1:9", giveUpAfterMs: 500 });
  await expect(nobody.agents()).rejects.toBeInstanceOf(ConnectionError);
  const patient = new Evenkeel({ baseUrl: "http://127.0.0.1:9" });
  const signal = AbortSignal.timeout(50);
  await expect(patient.agents({ signal })).rejects.toMatchObject({ name: "TimeoutError" });
});

test("a page loads at most 6 kB for it, gzipped", async () => {
  const built = await build({
    configFile: false,
    logLevel: "silent",
    build: { write: false, lib: { entry: `${import.meta.dirname}/client.ts`, formats: ["es"] } },
  });
  const [first] = Array.isArray(built) ? built : [built];
  const code = first && "output" in first ? first.output[0].code : "";
  expect(code).toContain("giveUpAfterMs");
  expect(gzipSync(code).length).toBeLessThanOrEqual(6 * 1024);
});
