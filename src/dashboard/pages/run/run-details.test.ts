import { expect, test, vi } from "vitest";
import { FakeServices } from "../../live/fake-services.ts";
import { textOf } from "../../run-view/question.ts";
import { run } from "../runs/fake-run-server.ts";
import { RunDetails } from "./run-details.ts";

const AWAY = { code: "UNREACHABLE", detail: "The server cannot be reached." };

test("what could not be read at first says why, and is shown when it arrives", async () => {
  const server = new FakeServices();
  let away = "/api";
  server.answer = (path) => {
    if (path.startsWith(away)) throw AWAY;
    if (path.startsWith("/api/runs")) return run(1, "completed");
    return { messages: [{ role: "user", run_id: "r1", content: "Why?" }], next: null };
  };
  const details = new RunDetails(server, "r1");

  details.load();
  await vi.waitFor(() => expect(details.error.value).toEqual(AWAY));
  away = "/api/threads";
  details.refresh();
  await vi.waitFor(() => expect(details.askedError.value).toEqual(AWAY));
  expect([details.run.value?.run_id, details.error.value]).toEqual(["r1", null]);
  away = "none";
  details.refresh();
  await vi.waitFor(() => expect(textOf(details.asked.value ?? [])).toBe("Why?"));

  expect(details.askedError.value).toBeNull();
});
