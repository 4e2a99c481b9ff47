/** U+0085, U+2028 and U+2029 leave the server escaped, in every kind of answer. Real cluster, raw bytes. */
import { expect, test } from "vitest";
import { startCluster } from "../testing/cluster.ts";
import { SocketClient } from "../testing/socket.ts";

const LINE_ENDS = /[\u0085\u2028\u2029]/;
const WORDS = "one\u2028two\u2029three\u0085four";

test("no way out of the server has a line end that JSON does not need to escape", async () => {
  await using cluster = await startCluster();
  const message = `${WORDS} /sim\n/sim text=${JSON.stringify(WORDS)}`;
  const fields = { metadata: { note: WORDS } };
  const raw = async (path: string, init?: RequestInit) =>
    (await fetch(`http://127.0.0.1:${cluster.port}${path}`, init)).text();
  const post = (path: string, body: object, accept = "application/json") =>
    raw(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: accept },
      body: JSON.stringify(body),
    });

  const chat = { agent_id: "assistant", message, thread_id: "lines", run_id: "lines-1", ...fields };
  const bodies = {
    chat: await post("/api/chat", chat),
    stream: await post("/api/chat", { ...chat, run_id: "lines-2" }, "text/event-stream"),
    run: await raw("/api/runs/lines-1"),
    runs: await raw("/api/runs"),
    events: await raw("/api/runs/lines-1/events"),
    thread: await raw("/api/threads/lines"),
    threads: await raw("/api/threads"),
    notice: await post("/api/activities", { role: "user", content: WORDS }),
    activities: await raw("/api/activities"),
    problem: await post("/api/chat", { ...chat, run_id: "lines-3", [WORDS]: 1 }),
    refused: await post("/api/chat", { ...chat, agent_id: WORDS }),
  };

  expect(Object.entries(bodies).filter(([, body]) => LINE_ENDS.test(body))).toEqual([]);
  expect(bodies.chat).toContain("one\\u2028two\\u2029three\\u0085four");
  expect(JSON.parse(bodies.chat)).toMatchObject({ reply: WORDS });
  expect(bodies.stream).toContain("two\\u2029three");
});

test("the socket escapes them too", async () => {
  await using cluster = await startCluster();
  await using socket = await SocketClient.connect(`http://127.0.0.1:${cluster.port}`);
  const frames: string[] = [];
  socket.ws.on("message", (data: Buffer) => frames.push(data.toString()));

  await socket.ask({ op: "chat", id: WORDS, agent_id: "assistant", message: WORDS });
  await socket.ask({ op: "subscribe", id: `${WORDS}!`, channel: "activities", after: 0 });
  await socket.until(({ event }) => event?.type === "run.completed");

  expect(frames.length).toBeGreaterThan(0);
  for (const frame of frames) expect(LINE_ENDS.test(frame)).toBe(false);
});
