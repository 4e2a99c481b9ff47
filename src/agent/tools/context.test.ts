/** What a call's context does with odd values, and with requests that have signals of their own. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { expect, test } from "vitest";
import { callContext } from "../../testing/call-context.ts";
import { contextFor } from "./context.ts";
import type { CallReport } from "./invoke.ts";

function openContext() {
  const reports: CallReport[] = [];
  const { signal, report: _report, ...data } = callContext();
  const owned = contextFor({ data, signal, report: (report) => reports.push(report) });
  return { ...owned, reports, [Symbol.dispose]: owned.end };
}

const cyclic: Record<string, unknown> = {};
cyclic["self"] = cyclic;

test.each([
  ["an error", new Error("why", { cause: new Error("because") }), "why: because"],
  ["a cycle", cyclic, '{"self":"[circular]"}'],
  [
    "a response",
    new Response(""),
    "The tool returned a Response, which is no result yet: return await response.text().",
  ],
  [
    "an object that throws",
    {
      get field() {
        throw new Error("no field");
      },
    },
    "no field",
  ],
])("%s in a log line does not fail the call", (_, value, line) => {
  using owned = openContext();

  owned.context.log.info(value as unknown as string);

  expect(owned.reports).toEqual([{ type: "log", level: "info", text: line }]);
});

test("a request keeps its own signal beside that of the call", async () => {
  using owned = openContext();
  await using server = createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  const own = new AbortController();
  const request = new Request(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { signal: own.signal });
  server.once("request", () => own.abort(new Error("the request's own end")));

  await expect(owned.context.fetch(request)).rejects.toThrow("the request's own end");
  server.closeAllConnections();
});
