/**
 * F1 and F2 together: many clients that begin to send something large and never finish it. The memory of their worker is
 * bounded, who comes too late is told when to come again, and small requests are served meanwhile.
 */
import { execFileSync } from "node:child_process";
import { connect } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
import { startServer, type Server } from "./testing/server.ts";

const EACH = 300;
const MB = 1_000_000;
const PATIENCE = { timeout: 15_000, interval: 50 };
const REFUSED = /^HTTP\/1\.1 503 [\s\S]*Retry-After: \d+[\s\S]*"code":"OVERLOADED"/i;

test("what many clients send slowly is bounded in a worker, and small requests are served beside it", async () => {
  await using server = await startServer({ env: { WORKERS: "1" } });
  const [worker] = await server.processes("worker");
  await begin(server, 20);
  const before = rssBytes(worker?.pid ?? 0);

  const bodies = Array.from({ length: EACH }, () => sendSlowly(server, "/api/chat/async", "application/json"));
  const uploads = Array.from({ length: EACH }, () => sendSlowly(server, "/api/files", "text/plain"));
  const sockets = Array.from({ length: EACH }, () => openSlowly(server));
  await vi.waitFor(() => {
    // What the large part of the memory holds, and the places for uploads.
    expect(refused(bodies) + closed(sockets)).toBeGreaterThanOrEqual(2 * EACH - 100);
    expect(refused(uploads)).toBe(EACH - 32);
  }, PATIENCE);

  const statuses = await begin(server, 50);
  expect(statuses).toEqual(Array(50).fill(202));
  // 900 MB were sent. The bound is 64 MiB, and chunks that are garbage by now come on top: the worker grew by 140 to 167 MB,
  // also when half as much was sent.
  expect(rssBytes(worker?.pid ?? 0) - before).toBeLessThan(250 * MB);
});

/** Sends small chats one after another. @returns the status of each */
async function begin({ client }: Server, chats: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let chat = 0; chat < chats; chat += 1) {
    const { status } = await client.post("/api/chat/async", { agent_id: "assistant", message: "/sim tokens=1" });
    statuses.push(status);
  }
  return statuses;
}

/** A request whose body lacks its last byte. */
function sendSlowly({ port }: Server, path: string, type: string) {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let answer = "";
  socket.setEncoding("utf8").on("data", (text) => (answer += String(text)));
  socket.on("error", () => {});
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${MB + 1}\r\n\r\n`;
  socket.write(head + " ".repeat(MB));
  return { answer: () => answer };
}

/** A socket that sends a message without its last fragment. */
function openSlowly({ port }: Server): { readonly code: () => number } {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  onTestFinished(() => ws.terminate());
  let code = 0;
  ws.on("open", () => ws.send(" ".repeat(MB), { fin: false }));
  ws.on("error", () => {});
  ws.on("close", (given) => (code = given));
  return { code: () => code };
}

function refused(requests: readonly { answer: () => string }[]): number {
  return requests.filter(({ answer }) => REFUSED.test(answer())).length;
}

function closed(sockets: readonly { code: () => number }[]): number {
  return sockets.filter(({ code }) => code() === 1013).length;
}

function rssBytes(pid: number): number {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024;
}
