/**
 * Counts the bytes of a message that a socket has begun to send and not yet finished, which `ws` keeps. When the worker has no
 * room for more, or the message does not end in time, the socket is closed: it may connect again. Called by `upgrade.ts`.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { TimeLimit } from "../../core/time-limit.ts";
import type { BodyShare } from "../body-memory.ts";

/** Of a client's frame of at most 125 bytes (RFC 6455 § 5.2): all control frames. */
const CONTROL_HEADER_BYTES = 6;

export interface IncomingOptions {
  readonly ws: WebSocket;
  /** The connection below. */
  readonly tcp: Socket;
  readonly share: BodyShare;
  /** Called with the reason when the message is not read to its end; nothing more is read then. */
  readonly onRefused: (why: string) => void;
  readonly messageMs?: number;
}

/** As long as a request may take to send its body (`server.ts`). */
const MESSAGE_MS = 30_000;

export function boundIncoming({ ws, tcp, share, onRefused, messageMs = MESSAGE_MS }: IncomingOptions): void {
  let bytes = 0;
  let late: TimeLimit | undefined;
  const refuse = (why: string) => {
    tcp.off("data", onData);
    onRefused(why);
    ws.pause();
  };
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    try {
      share.resize(bytes);
    } catch {
      return refuse("too much is being sent to this process");
    }
    late ??= new TimeLimit(messageMs, () => refuse(`a message took longer than ${messageMs} ms`));
  };
  const end = () => {
    late?.stop();
    late = undefined;
    bytes = 0;
    share.release();
  };
  // A control frame may come in the middle of a message, and ends none.
  const onControl = (data: Buffer) => {
    bytes = Math.max(0, bytes - data.length - CONTROL_HEADER_BYTES);
    if (bytes === 0) end();
  };
  // Before `ws` has read the chunk: a message that ends with it is whole then, and nothing of it is left to count.
  tcp.prependListener("data", onData);
  ws.on("ping", onControl).on("pong", onControl);
  ws.on("message", end);
  ws.on("close", () => {
    tcp.off("data", onData);
    end();
  });
}
