/** Baseline of the hot path: node:http sending given bytes, and nothing else. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serveJobs } from "../lib/jobs.ts";

export interface BareAnswer {
  readonly path: string;
  /** Names and values alternate, as node:http expects them. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

serveJobs(async (answers: readonly BareAnswer[]) => {
  const byPath = new Map(answers.map((answer) => [answer.path, answer]));
  const server = createServer(({ url = "" }, response) => {
    const answer = byPath.get(url);
    response.writeHead(answer ? 200 : 404, (answer?.headers ?? []) as string[]);
    response.end(answer?.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
