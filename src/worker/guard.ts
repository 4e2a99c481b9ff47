/**
 * Who may talk to us. Without API keys (protected mode) only loopback peers are served, and only under a
 * loopback Host, so that no web page can reach us by DNS rebinding. What a proxy on this machine passes on comes
 * from loopback too, and is refused by the headers that proxies add. With keys, a bearer key is needed for everything
 * but /health and the dashboard's own files. Called once per request, before anything else looks at it.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { matcherOf } from "../api/match.ts";
import { ROUTES } from "../api/routes.ts";
import { READ_HEALTH } from "../api/system.ts";
import { AppError } from "../core/errors.ts";
import { ANONYMOUS, LOCAL, type Principal } from "../core/principal.ts";
import type { ApiKey } from "../settings-reader.ts";

const isHealth = matcherOf(READ_HEALTH);
/** Routes that need no key: a browser that opens the page has none to send, and its files hold no data. */
const OPEN = ROUTES.filter(({ access }) => access === "anyone").map(matcherOf);

export const HOW_TO_AUTHORIZE = "Send one of the server's API keys as `Authorization: Bearer <secret>`.";

const LOOPBACK_HOST = /^(localhost|[\w-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;
const LOOPBACK_PEER = /^(127\.|::1$|::ffff:127\.)/;

/**
 * Headers that proxies, tunnels and content networks add: a request that has one was sent by somebody who may be
 * anywhere. Most proxies add at least one; a bare `proxy_pass` of nginx adds none (docs/deployment.md warns of it).
 */
const PROXY_HEADER =
  /^(via|forwarded|cdn-loop|true-client-ip|client-ip|x-(forwarded(-\w+)?|real-ip|client-ip|cluster-client-ip|original-(for|host|forwarded-for)|amzn-trace-id|cloud-trace-context|arr-log-id)|(cf|fly|tailscale|fastly|ngrok|x-envoy|x-vercel|x-azure|x-appengine|x-amz-cf)-[\w-]+)$/;

export class Guard {
  readonly #keys: readonly { readonly principal: Principal; readonly digest: Buffer }[];

  constructor(apiKeys: readonly ApiKey[]) {
    this.#keys = apiKeys.map(({ name, secret, role = "admin" }) => ({
      principal: { id: name, role, via: name },
      digest: digestOf(secret),
    }));
  }

  /** @throws AppError PROTECTED_MODE, FOREIGN_HOST, FOREIGN_ORIGIN or UNAUTHORIZED */
  admit(request: IncomingMessage): Principal {
    const principal = this.#keys.length > 0 ? this.#byKey(request) : byLoopback(request);
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (isRead) assertOwnSite(request);
    else this.#assertOwnOrigin(request);
    return principal;
  }

  /**
   * The upgrade to a WebSocket: a GET that opens a way to change things, and that browsers let any page send.
   * @throws AppError PROTECTED_MODE, FOREIGN_HOST, FOREIGN_ORIGIN or UNAUTHORIZED
   */
  admitSocket(request: IncomingMessage): Principal {
    const secret = bearerOf(request) ?? protocolKeyOf(request);
    const principal = this.#keys.length > 0 ? this.#bySecret(secret) : byLoopback(request);
    this.#assertOwnOrigin(request);
    return principal;
  }

  /** A page of another origin may not change anything through a visitor's browser. */
  #assertOwnOrigin({ headers }: IncomingMessage): void {
    const { origin, host } = headers;
    if (origin === undefined) return;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url?.host === host && this.#schemes(headers).includes(url?.protocol ?? "")) return;
    throw new AppError("FOREIGN_ORIGIN", `Requests from pages of ${origin} are not served; send them from ${host}.`);
  }

  /**
   * What our own page may have been loaded by. Without keys nothing stands between us and the browser, so it is HTTP. A
   * proxy says which it was; where one says nothing it may be either.
   */
  #schemes(headers: IncomingHttpHeaders): readonly string[] {
    if (this.#keys.length === 0) return ["http:"];
    const forwarded = headers["x-forwarded-proto"];
    return typeof forwarded === "string" ? [`${forwarded.split(",", 1)[0]?.trim()}:`] : ["http:", "https:"];
  }

  #byKey(request: IncomingMessage): Principal {
    const { method, url } = request;
    // Health checks may send a key that is none of ours.
    if (isHealth(method, url)) return ANONYMOUS;
    const secret = bearerOf(request);
    const isOpen = secret === undefined && OPEN.some((matches) => matches(method, url));
    return isOpen ? ANONYMOUS : this.#bySecret(secret);
  }

  #bySecret(secret: string | undefined): Principal {
    // Digests have one length, which is what a comparison in constant time needs.
    const digest = digestOf(secret ?? "");
    const key = this.#keys.find((candidate) => timingSafeEqual(candidate.digest, digest));
    if (secret !== undefined && key) return key.principal;
    throw new AppError("UNAUTHORIZED", HOW_TO_AUTHORIZE);
  }
}

function byLoopback({ socket, headers }: IncomingMessage): Principal {
  if (!LOOPBACK_PEER.test(socket.remoteAddress ?? "")) {
    throw new AppError(
      "PROTECTED_MODE",
      "evenkeel has no API keys, so it serves only clients on its own machine. " +
        "Start it with API_KEYS=name:secret to open it, and send `Authorization: Bearer <secret>`.",
    );
  }
  const proxied = Object.keys(headers).find((name) => PROXY_HEADER.test(name));
  if (proxied !== undefined) {
    throw new AppError(
      "PROTECTED_MODE",
      `This request came through a proxy (it has a \`${proxied}\` header). evenkeel has no API keys, so it serves ` +
        "only clients on its own machine, directly. Start it with API_KEYS=name:secret to serve others.",
    );
  }
  if (!LOOPBACK_HOST.test(headers.host ?? "")) {
    throw new AppError(
      "FOREIGN_HOST",
      `Host "${headers.host ?? ""}" is not this machine's. Use http://localhost, ` +
        "or start evenkeel with API_KEYS=name:secret to serve other names.",
    );
  }
  return LOCAL;
}

function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
}

/** What the server speaks on `/ws`, and how a page, which cannot set headers, sends its key: base64url behind it. */
export const SOCKET_PROTOCOL = "evenkeel";
const KEY_PROTOCOL = `${SOCKET_PROTOCOL}.key.`;

function protocolKeyOf({ headers }: IncomingMessage): string | undefined {
  const offered = headers["sec-websocket-protocol"]?.split(",").map((protocol) => protocol.trim());
  const key = offered?.find((protocol) => protocol.startsWith(KEY_PROTOCOL))?.slice(KEY_PROTOCOL.length);
  return key === undefined ? undefined : Buffer.from(key, "base64url").toString();
}

/**
 * A page of another site may not read through a visitor's browser either: what it must not see it could time, or count.
 * Only what anyone may read is served to it, so that links to our page work.
 */
function assertOwnSite({ method, url, headers }: IncomingMessage): void {
  if (headers["sec-fetch-site"] !== "cross-site" || OPEN.some((matches) => matches(method, url))) return;
  throw new AppError(
    "FOREIGN_ORIGIN",
    "A page of another site sent your browser here. Open the address by itself, or ask from a page of this server.",
  );
}

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
