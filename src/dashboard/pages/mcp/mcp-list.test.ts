import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeServices } from "../../live/fake-services.ts";
import { McpList } from "./mcp-list.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("document", { hidden: false });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("the list is asked for every two seconds, until it is stopped", async () => {
  const server = new FakeServices();
  server.answer = () => ({ servers: [{ server: "files", agent_process: 1 }] });
  const list = new McpList(server);
  list.start();
  await vi.advanceTimersByTimeAsync(4_100);
  expect([server.requests.length, list.servers.value?.[0]?.server]).toEqual([3, "files"]);

  list.stop();
  await vi.advanceTimersByTimeAsync(10_000);

  expect(server.requests).toHaveLength(3);
});

test("what was shown stays while the server does not answer", async () => {
  const server = new FakeServices();
  server.answer = () => ({ servers: [] });
  const list = new McpList(server);
  list.start();
  await vi.advanceTimersByTimeAsync(100);
  server.answer = () => Promise.reject({ code: "UNREACHABLE", detail: "gone" });
  await vi.advanceTimersByTimeAsync(2_000);

  expect([list.servers.value, list.error.value?.code]).toEqual([[], "UNREACHABLE"]);
  list.stop();
});
