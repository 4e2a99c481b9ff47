/**
 * Decides whether a request is admitted. Without API keys (protected mode) only loopback peers are served, and only under a
 * loopback Host, so that no web page can reach us by DNS rebinding. What a proxy on this machine passes on comes
 * from loopback too, and is refused by the headers that proxies add. With keys, a key, token or session is needed for
 * everything but what anyone may. Called once per request, before anything else looks at it.
 */
import type { IncomingMessage } from "node:http";
import { matcherOf } from "../api/match.ts";
import { ROUTES } from "../api/routes.ts";
import { READ_HEALTH } from "../api/system.ts";
import { DEFAULT_ACCESS, type Access } from "../core/access.ts";
import { AppError } from "../core/errors.ts";
import { ANONYMOUS, LOCAL, type Principal } from "../core/principal.ts";
import type { ApiKey } from "../settings-reader.ts";
import { Credentials } from "./credentials.ts";
import { Forwarded } from "./forwarded.ts";
import { KeyCounts } from "./key-counts.ts";
import { Origins } from "./origins.ts";
import { WrongKeys, type Connection } from "./wrong-keys.ts";

const isHealth = matcherOf(READ_HEALTH);
/** Routes that need no key: a browser that opens the page has none to send, and its files hold no data. */
const OPEN = ROUTES.filter(({ access }) => access === "anyone").map(matcherOf);

const LOOPBACK_HOST = /^(localhost|[\w-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;
const LOOPBACK_PEER = /^(127\.|::1$|::ffff:127\.)/;

/**
 * Headers that proxies, tunnels and content networks add: a request that has one was sent by somebody who may be
 * anywhere. Most proxies add at least one; a bare `proxy_pass` of nginx adds none (docs/deployment.md warns of it).
 */
const PROXY_HEADER =
  /^(via|forwarded|cdn-loop|true-client-ip|client-ip|x-(forwarded(-\w+)?|real-ip|client-ip|cluster-client-ip|original-(for|host|forwarded-for)|amzn-trace-id|cloud-trace-context|arr-log-id)|(cf|fly|tailscale|fastly|ngrok|x-envoy|x-vercel|x-azure|x-appengine|x-amz-cf)-[\w-]+)$/;
/** What the names in PROXY_HEADER begin with. */
const PROXY_INITIALS = "vfctxn";

export class Guard {
  readonly credentials: Credentials;
  readonly origins: Origins;
  readonly forwarded: Forwarded;
  readonly #wrongKeys = new WrongKeys();

  readonly counts = new KeyCounts();

  constructor(apiKeys: readonly ApiKey[], access: Access = DEFAULT_ACCESS) {
    this.credentials = new Credentials(apiKeys, access);
    this.origins = new Origins(access.allowedOrigins);
    this.forwarded = new Forwarded(access.trustedProxies);
  }

  /**
   * A promise when a token has to be checked; it rejects as this throws.
   * @throws AppError PROTECTED_MODE, FOREIGN_HOST, FOREIGN_ORIGIN or UNAUTHORIZED
   */
  admit(request: IncomingMessage): Principal | Promise<Principal> {
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!this.credentials.needed) assertLoopback(request);
    if (isRead) this.#assertOwnSite(request);
    else this.#assertOrigin(request);
    if (!this.credentials.needed) return LOCAL;
    const principal = this.#identify(request);
    if (isRead) return principal;
    return withEach(principal, (asking) => this.#assertNoForgedSession(asking, request));
  }

  /**
   * The upgrade to a WebSocket: a GET that opens a way to change things, and that browsers let any page send.
   * @throws AppError PROTECTED_MODE, FOREIGN_HOST, FOREIGN_ORIGIN or UNAUTHORIZED; a promise rejects with the same
   */
  admitSocket(request: IncomingMessage): Principal | Promise<Principal> {
    if (!this.credentials.needed) assertLoopback(request);
    this.#assertOrigin(request);
    if (!this.credentials.needed) return LOCAL;
    const secret = bearerOf(request) ?? protocolKeyOf(request);
    const session = secret === undefined ? sessionOf(request) : undefined;
    if (session === undefined) return this.credentials.principalOf(secret);
    const principal = this.credentials.principalOfSession(session);
    return withEach(principal, (asking) => this.#assertNoForgedSession(asking, request));
  }

  /** Sends a refusal: at once, unless the request tried a wrong key and others before it did too. */
  refuse(request: IncomingMessage, error: AppError, { connection, send }: Refusal): void {
    const isGuess = error.code === "UNAUTHORIZED" && (bearerOf(request) ?? protocolKeyOf(request)) !== undefined;
    if (isGuess) this.#wrongKeys.answerLater(this.forwarded.addressOf(request), connection, send);
    else send();
  }

  /** The browser asked by HTTPS, or a proxy says nothing of it: then a cookie must not go over HTTP. */
  isSecure(request: IncomingMessage): boolean {
    return this.forwarded.schemeOf(request) === "https";
  }

  #identify(request: IncomingMessage): Principal | Promise<Principal> {
    const { method, url } = request;
    // Health checks may send a key that is none of ours.
    if (isHealth(method, url)) return ANONYMOUS;
    const secret = bearerOf(request);
    const isOpen = secret === undefined && OPEN.some((matches) => matches(method, url));
    if (isOpen) return ANONYMOUS;
    const session = secret === undefined ? sessionOf(request) : undefined;
    return session === undefined ? this.credentials.principalOf(secret) : this.credentials.principalOfSession(session);
  }

  /** A page of another origin may not change anything through a visitor's browser, unless the operator allowed it. */
  #assertOrigin(request: IncomingMessage): void {
    const { origin, host } = request.headers;
    if (origin === undefined || this.origins.allows(origin) || this.#isOwn(request)) return;
    throw new AppError(
      "FOREIGN_ORIGIN",
      `Requests from pages of ${origin} are not served; send them from ${host}, or name it in allowedOrigins of config/access.ts.`,
    );
  }

  /** A browser adds the cookie to whatever page asks; by it only our own page may change something. */
  #assertNoForgedSession({ byCookie }: Principal, request: IncomingMessage): void {
    if (!byCookie || this.#isOwn(request)) return;
    throw new AppError("FOREIGN_ORIGIN", "By a session only this server's own page may change something; send a key.");
  }

  #isOwn(request: IncomingMessage): boolean {
    const { origin = "", host } = request.headers;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    return url?.host === host && this.#schemes(request).includes(url?.protocol ?? "");
  }

  /**
   * What our own page may have been loaded by. Without keys nothing stands between us and the browser, so it is HTTP. A
   * proxy says which it was; where one says nothing it may be either.
   */
  #schemes(request: IncomingMessage): readonly string[] {
    if (!this.credentials.needed) return ["http:"];
    const scheme = this.forwarded.schemeOf(request);
    return scheme === undefined ? ["http:", "https:"] : [`${scheme}:`];
  }

  /**
   * A page of another site may not read through a visitor's browser either: what it must not see it could time, or count.
   * Only what anyone may read is served to it, so that links to our page work.
   */
  #assertOwnSite({ method, url, headers }: IncomingMessage): void {
    if (headers["sec-fetch-site"] !== "cross-site" || this.origins.allows(headers.origin)) return;
    if (OPEN.some((matches) => matches(method, url))) return;
    throw new AppError(
      "FOREIGN_ORIGIN",
      "A page of another site sent your browser here. Open the address by itself, or ask from a page of this server.",
    );
  }
}

export interface Refusal {
  readonly connection: Connection;
  readonly send: () => void;
}

/** Checks a principal, now or when it is known. */
function withEach(
  principal: Principal | Promise<Principal>,
  assert: (principal: Principal) => void,
): Principal | Promise<Principal> {
  if (principal instanceof Promise) return principal.then((known) => withEach(known, assert));
  assert(principal);
  return principal;
}

function assertLoopback({ socket, headers }: IncomingMessage): void {
  if (!LOOPBACK_PEER.test(socket.remoteAddress ?? "")) {
    throw new AppError(
      "PROTECTED_MODE",
      "evenkeel has no API keys, so it serves only clients on its own machine. " +
        "Start it with API_KEYS=name:secret to open it, and send `Authorization: Bearer <secret>`.",
    );
  }
  const proxied = proxyHeaderIn(headers);
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
}

function proxyHeaderIn(headers: IncomingMessage["headers"]): string | undefined {
  // No array, and no regular expression for most names: this is asked of every header of every request.
  for (const name in headers) if (PROXY_INITIALS.includes(name[0] ?? "") && PROXY_HEADER.test(name)) return name;
  return undefined;
}

export function bearerOf({ headers }: IncomingMessage): string | undefined {
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

/** The cookie of `routes/session.ts`. */
export const SESSION_COOKIE = "evenkeel_session";

function sessionOf({ headers }: IncomingMessage): string | undefined {
  const pairs = headers.cookie?.split(";").map((pair) => pair.trim()) ?? [];
  return pairs.find((pair) => pair.startsWith(`${SESSION_COOKIE}=`))?.slice(SESSION_COOKIE.length + 1);
}
