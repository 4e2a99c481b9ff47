/**
 * Stands between a browser and the server and counts WebSockets, wherever in the browser they are opened: in a
 * SharedWorker too, which no script of a page can look into. Called by tests.
 */
import type { Socket } from "node:net";
import { Link } from "./link.ts";

export interface Relay extends AsyncDisposable {
  readonly url: string;
  /** The open WebSockets. */
  readonly webSockets: ReadonlySet<Socket>;
}

export async function openRelay(targetPort: number): Promise<Relay> {
  const webSockets = new Set<Socket>();
  const link = await Link.open({ port: targetPort }, (client) => {
    client.on("data", (bytes: Buffer) => {
      if (bytes.subarray(0, 8).toString() === "GET /ws ") webSockets.add(client);
    });
    client.on("close", () => webSockets.delete(client));
  });
  const dispose = () => link[Symbol.asyncDispose]();
  return { url: `http://127.0.0.1:${link.port}`, webSockets, [Symbol.asyncDispose]: dispose };
}
