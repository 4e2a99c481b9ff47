import { expect, test, vi } from "vitest";
import { FakeServices } from "../../live/fake-services.ts";
import { RunEvents } from "./run-events.ts";

test("events that came after the last page was read can be asked for", async () => {
  const server = new FakeServices();
  let stored = 3;
  server.answer = (path) => {
    const after = Number(new URL(path, "http://x").searchParams.get("after"));
    const events = Array.from({ length: stored - after }, (_, index) => ({ seq: after + index + 1 }));
    return { events, next: null };
  };
  const events = new RunEvents(server, "r");
  const seqs = () => events.rows.value.map(({ seq }) => seq);

  events.loadMore();
  await vi.waitFor(() => expect(seqs()).toEqual([1, 2, 3]));
  expect(events.hasMore(3)).toBe(false);
  stored = 5;
  expect(events.hasMore(5)).toBe(true);
  events.loadMore();
  await vi.waitFor(() => expect(seqs()).toEqual([1, 2, 3, 4, 5]));

  expect(events.hasMore(5)).toBe(false);
});
