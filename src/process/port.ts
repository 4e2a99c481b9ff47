/**
 * Checks that a port is free before anything is forked, so that a taken port gives one log line and not one
 * from every child.
 */
import { createServer } from "node:net";

/** Rejects with the system's error: EADDRINUSE, EACCES, EADDRNOTAVAIL. */
export async function assertPortFree(host: string, port: number): Promise<void> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen({ host, port }, resolve);
  await promise;
  await new Promise((closed) => server.close(closed));
}
