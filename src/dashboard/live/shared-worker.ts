/** The SharedWorker: one hub, so one socket, for all tabs of this browser. Each tab comes with a port. */
import { Hub } from "./hub.ts";
import type { ToHub } from "./messages.ts";
import { openSocket } from "./socket.ts";

const hub = new Hub({ open: openSocket });

addEventListener("connect", (event) => {
  // Of TypeScript's libraries only "webworker" has this event, and that one does not go together with "dom".
  const [port] = (event as MessageEvent).ports;
  if (!port) return;
  const receive = hub.connect((message) => port.postMessage(message));
  port.addEventListener("message", ({ data }: MessageEvent<ToHub>) => receive(data));
  // Only setting `onmessage` would start it by itself.
  port.start();
});
