/**
 * Counts the bytes of a message that a socket has begun to send and not yet finished, which `ws` keeps. When the worker has no
 * room for more, the socket is closed: it may connect again. Called by `upgrade.ts`.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { BodyShare } from "../body-memory.ts";

/** Of a client's frame of at most 125 bytes (RFC 6455 § 5.2): all control frames. */
const CONTROL_HEADER_BYTES = 6;

export interface IncomingOptions {
  readonly ws: WebSocket;
  /** The connection below. */
  readonly tcp: Socket;
  readonly share: BodyShare;
  /** Called when there is no room; nothing more is read then. */
  readonly onFull: () => void;
}

export function boundIncoming({ ws, tcp, share, onFull }: IncomingOptions): void {
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    try {
      share.resize(bytes);
    } catch {
      tcp.off("data", onData);
      onFull();
      ws.pause();
    }
  };
  // A control frame may come in the middle of a message, and ends none.
  const onControl = (data: Buffer) => {
    bytes = Math.max(0, bytes - data.length - CONTROL_HEADER_BYTES);
  };
  // Before `ws` has read the chunk: a message that ends with it is whole then, and nothing of it is left to count.
  tcp.prependListener("data", onData);
  ws.on("ping", onControl).on("pong", onControl);
  ws.on("message", () => {
    bytes = 0;
    share.release();
  });
  ws.on("close", () => {
    tcp.off("data", onData);
    share.release();
  });
}
