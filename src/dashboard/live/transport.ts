/**
 * Connects this page to a hub: the SharedWorker's hub, or the page's own if there is no such worker, its script does
 * not load, or it stops answering.
 */
import { Hub } from "./hub.ts";
import type { FromHub, ToHub } from "./messages.ts";
import { openSocket } from "./socket.ts";

export interface Transport {
  readonly kind: "shared" | "own";
  readonly post: (message: ToHub) => void;
  readonly close: () => void;
}

interface Handlers {
  readonly onMessage: (message: FromHub) => void;
  readonly onFailed: () => void;
}

export function openTransport(handlers: Handlers): Transport {
  return openShared(handlers) ?? openOwn(handlers);
}

/** @returns undefined when the browser has no SharedWorker (Chrome on Android) or forbids it */
function openShared({ onMessage, onFailed }: Handlers): Transport | undefined {
  try {
    const worker = new SharedWorker(new URL("./shared-worker.ts", import.meta.url), {
      type: "module",
      name: "evenkeel",
    });
    worker.addEventListener("error", onFailed);
    worker.port.addEventListener("message", ({ data }: MessageEvent<FromHub>) => onMessage(data));
    // A port with `addEventListener` must be started; only setting `onmessage` starts it by itself.
    worker.port.start();
    return {
      kind: "shared",
      // The empty list is for unicorn's rule, which takes every `postMessage` for that of a window and wants an origin.
      post: (message) => worker.port.postMessage(message, []),
      close: () => {
        worker.removeEventListener("error", onFailed);
        worker.port.close();
      },
    };
  } catch {
    return undefined;
  }
}

export function openOwn({ onMessage }: Pick<Handlers, "onMessage">): Transport {
  const hub = new Hub({ open: openSocket });
  return { kind: "own", post: hub.connect(onMessage), close: () => hub.stop() };
}
