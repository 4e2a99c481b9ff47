/**
 * Decides whether a request is admitted. Without API keys (protected mode) only loopback peers are served, and only
 * under a loopback Host, so that no web page can reach us by DNS rebinding. Requests that a proxy on this machine
 * passes on come from loopback, too; they are refused because of the headers that proxies add. With API keys, every
 * route needs a key, token or session, except those for anyone. Called once per request, before all other code sees it.
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
/** Routes that need no key: a browser that opens the page has no key to send yet, and the files hold no data. */
const OPEN = ROUTES.filter(({ access }) => access === "anyone").map(matcherOf);

const LOOPBACK_HOST = /^(localhost|[\w-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;
const LOOPBACK_PEER = /^(127\.|::1$|::ffff:127\.)/;

/**
 * Headers that proxies, tunnels and content networks add: the sender of a request with such a header may be anywhere.
 * Most proxies add at least one of them; a bare `proxy_pass` of nginx adds none (docs/deployment.md warns of it).
 */
const PROXY_HEADER =
  /^(via|forwarded|cdn-loop|true-client-ip|client-ip|x-(forwarded(-\w+)?|real-ip|client-ip|cluster-client-ip|original-(for|host|forwarded-for)|amzn-trace-id|cloud-trace-context|arr-log-id)|(cf|fly|tailscale|fastly|ngrok|x-envoy|x-vercel|x-azure|x-appengine|x-amz-cf)-[\w-]+)$/;
/** The first letters of the names in PROXY_HEADER. */
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
   * Returns a promise when a token has to be checked; the promise rejects with the same errors.
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
   * Admits an upgrade to a WebSocket. The upgrade is a GET, but the socket can change things, and browsers let any page
   * send it.
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

  /**
   * Sends a refusal. It is sent at once, unless this request tried a wrong key after other wrong keys from its address.
   */
  refuse(request: IncomingMessage, error: AppError, { connection, send }: Refusal): void {
    const isGuess = error.code === "UNAUTHORIZED" && (bearerOf(request) ?? protocolKeyOf(request)) !== undefined;
    if (isGuess) this.#wrongKeys.answerLater(this.forwarded.addressOf(request), connection, send);
    else send();
  }

  /**
   * True only when a trusted proxy says that the browser used HTTPS. Otherwise the cookie has to work over HTTP.
   */
  isSecure(request: IncomingMessage): boolean {
    return this.forwarded.schemeOf(request) === "https";
  }

  #identify(request: IncomingMessage): Principal | Promise<Principal> {
    const { method, url } = request;
    // A health check may send a key that is not one of ours.
    if (isHealth(method, url)) return ANONYMOUS;
    const secret = bearerOf(request);
    const isOpen = secret === undefined && OPEN.some((matches) => matches(method, url));
    if (isOpen) return ANONYMOUS;
    const session = secret === undefined ? sessionOf(request) : undefined;
    return session === undefined ? this.credentials.principalOf(secret) : this.credentials.principalOfSession(session);
  }

  /** A page of another origin must not change anything through a visitor's browser, unless the operator allowed it. */
  #assertOrigin(request: IncomingMessage): void {
    const { origin, host } = request.headers;
    if (origin === undefined || this.origins.allows(origin) || this.#isOwn(request)) return;
    throw new AppError(
      "FOREIGN_ORIGIN",
      `Requests from pages of ${origin} are not served; send them from ${host}, or name it in allowedOrigins of config/access.ts. A proxy between them has to keep the page's Host.`,
    );
  }

  /** A browser adds the cookie to requests of any page, so only our own page may change something with a cookie. */
  #assertNoForgedSession({ byCookie }: Principal, request: IncomingMessage): void {
    if (!byCookie || this.#isOwn(request)) return;
    throw new AppError(
      "FOREIGN_ORIGIN",
      "Only this server's own page may change something with a session; send a key instead.",
    );
  }

  #isOwn(request: IncomingMessage): boolean {
    const { origin = "", host } = request.headers;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    return url?.host === host && this.#schemes(request).includes(url?.protocol ?? "");
  }

  /**
   * The schemes by which our own page may have been loaded. Without keys, no proxy stands between us and the browser,
   * so it is HTTP. A proxy states the scheme; if it does not, it may be either.
   */
  #schemes(request: IncomingMessage): readonly string[] {
    if (!this.credentials.needed) return ["http:"];
    const scheme = this.forwarded.schemeOf(request);
    return scheme === undefined ? ["http:", "https:"] : [`${scheme}:`];
  }

  /**
   * A page of another site must not read through a visitor's browser either: even without the content, it could measure
   * times or count. Only public routes are served to it, so that links to our page work.
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

/** Checks a principal: now, or once it is known. */
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
  // No array, and no regular expression for most names, because this runs for every header of every request.
  for (const name in headers) if (PROXY_INITIALS.includes(name[0] ?? "") && PROXY_HEADER.test(name)) return name;
  return undefined;
}

export function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
}

/**
 * The protocol that the server speaks on `/ws`. A page cannot set headers, so it sends its key as a second protocol:
 * this prefix, then the key in base64url.
 */
export const SOCKET_PROTOCOL = "evenkeel";
const KEY_PROTOCOL = `${SOCKET_PROTOCOL}.key.`;

function protocolKeyOf({ headers }: IncomingMessage): string | undefined {
  const offered = headers["sec-websocket-protocol"]?.split(",").map((protocol) => protocol.trim());
  const key = offered?.find((protocol) => protocol.startsWith(KEY_PROTOCOL))?.slice(KEY_PROTOCOL.length);
  return key === undefined ? undefined : Buffer.from(key, "base64url").toString();
}

/** The cookie that `routes/session.ts` sets. */
export const SESSION_COOKIE = "evenkeel_session";

function sessionOf({ headers }: IncomingMessage): string | undefined {
  const pairs = headers.cookie?.split(";").map((pair) => pair.trim()) ?? [];
  return pairs.find((pair) => pair.startsWith(`${SESSION_COOKIE}=`))?.slice(SESSION_COOKIE.length + 1);
}
