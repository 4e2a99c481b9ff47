/** Looks whether a port can be had before anything is forked, so that a taken one is one line and not a storm. */
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
