/**
 * `GET /ws` with `Upgrade: websocket` (RFC 6455 § 4.2): admits the client and makes a session, or refuses it with a
 * problem.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import { OPEN_SOCKET } from "../../api/socket.ts";
import { AppError, toAppError } from "../../core/errors.ts";
import { MAX_FRAME_BYTES } from "../../core/limits.ts";
import { http } from "../../core/node-http.ts";
import type { Principal } from "../../core/principal.ts";
import { CLOSE } from "../../stream/socket.ts";
import { stripBasePath } from "../base-path.ts";
import { Bounds } from "../bounds.ts";
import type { WorkerDeps } from "../context.ts";
import { type Guard, SOCKET_PROTOCOL } from "../guard.ts";
import { assertHost } from "../listener.ts";
import { requestIdOf, sendProblem } from "../problem.ts";
import { ownEngine } from "../own-engine.ts";
import { assertMay } from "../serve.ts";
import type { OnUpgrade } from "../server.ts";
import { boundIncoming } from "./incoming.ts";
import { SocketSession } from "./session.ts";

const LIMITS = {
  // A larger frame closes the socket with 1009.
  maxPayload: MAX_FRAME_BYTES,
  // A client that does not answer our close frame is cut off after this time.
  closeTimeout: 2_000,
  // Compression would cost some 300 KB per connection, and a slow client would hold buffers that nobody counts.
  perMessageDeflate: false,
  // Our own pong first checks whether the client reads answers.
  autoPong: false,
};

/** Never choose the protocol with the key in it, because the chosen one shows in logs. */
const handleProtocols = (offered: ReadonlySet<string>) => (offered.has(SOCKET_PROTOCOL) ? SOCKET_PROTOCOL : false);

export function createUpgrade(deps: WorkerDeps): OnUpgrade {
  const { guard, access, settings } = deps;
  const bounds = new Bounds(access.limits.sockets, "sockets");
  const server = new WebSocketServer({ noServer: true, clientTracking: false, handleProtocols, ...LIMITS });

  const accept = ({ request, tcp, head }: Upgrade, principal: Principal) => {
    // The client has gone while its token was checked: nothing would tell that the socket has closed.
    if (tcp.destroyed) return;
    if (request.url?.split("?", 1)[0] !== OPEN_SOCKET.path)
      throw new AppError("NOT_FOUND", `There is no WebSocket at ${request.url}; the WebSocket is at /ws.`);
    assertMay(principal, OPEN_SOCKET);
    deps.guard.counts.add(principal);
    bounds.enter(principal, tcp);
    server.handleUpgrade(request, tcp, head, (ws) => serve(deps, { ws, tcp, principal }));
  };

  return (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // node:http hands over a socket that it accepted or that our server adopted: a TCP socket.
    const tcp = socket as Socket;
    // Handles a reset before the WebSocket exists; after that, `ws` has its own listener.
    tcp.on("error", () => tcp.destroy());
    stripBasePath(request, settings.basePath);
    const upgrade = { request, tcp, head };
    admitted(guard, request)
      .then((principal) => accept(upgrade, principal))
      .catch((error: unknown) => {
        const known = toAppError(error);
        guard.refuse(request, known, { connection: tcp, send: () => refuse(upgrade, known, settings) });
      });
  };
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly tcp: Socket;
  readonly head: Buffer;
}

async function admitted(guard: Guard, request: IncomingMessage): Promise<Principal> {
  assertHost(request);
  return guard.admitSocket(request);
}

function serve(deps: WorkerDeps, { ws, tcp, principal }: { ws: WebSocket; tcp: Socket; principal: Principal }): void {
  const stream = deps.delivery.openSocket(ws, tcp);
  const hold = (held: boolean) => (held ? ws.pause() : ws.resume());
  const session = new SocketSession({
    deps: { ...deps, engine: ownEngine(deps.engine, principal, deps.access.limits) },
    stream,
    principal,
    hold,
  });
  stream.onClose(() => session.close());
  const onRefused = (why: string) => stream.close(CLOSE.slow, `${why}; connect again`);
  boundIncoming({ ws, tcp, share: deps.bodyMemory.share(principal), onRefused });
  ws.on("message", (data, isBinary) => {
    if (isBinary) return stream.close(CLOSE.notText, "send JSON as text");
    // One Buffer, because `binaryType` has its default.
    session.receive((data as Buffer).toString());
  });
  // Not UTF-8, too large, broken frames: `ws` answers with the close code that RFC 6455 names, so only log it.
  ws.on("error", (error) => deps.log.debug({ err: error }, "socket broke"));
}

function refuse({ request, tcp: socket }: Upgrade, error: AppError, { basePath }: { readonly basePath: string }): void {
  const response = new http.ServerResponse(request);
  response.shouldKeepAlive = false;
  try {
    response.assignSocket(socket);
  } catch {
    // The answer to an earlier request of this connection is still being sent, so no other answer can be sent.
    socket.destroy();
    return;
  }
  // Not end(): an upgraded socket has no timeouts any more, and would stay open as long as its client likes.
  response.on("finish", () => socket.destroySoon());
  sendProblem(response, error, { requestId: requestIdOf(request), basePath });
}
