/** The SharedWorker: one hub, so one socket, for all tabs of this browser. Each tab comes with a port. */
import { Hub } from "./hub.ts";
import type { ToHub } from "./messages.ts";
import { openSocket } from "./socket.ts";

const hub = new Hub({ open: openSocket });

addEventListener("connect", (event) => {
  // Only TypeScript's library "webworker" declares this event, and it cannot be combined with "dom".
  const [port] = (event as MessageEvent).ports;
  if (!port) return;
  const receive = hub.connect((message) => port.postMessage(message));
  port.addEventListener("message", ({ data }: MessageEvent<ToHub>) => receive(data));
  // A port with `addEventListener` must be started; only setting `onmessage` starts it by itself.
  port.start();
});
