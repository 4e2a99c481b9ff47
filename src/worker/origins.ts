/**
 * Pages of other origins that may call the API from a browser (`allowedOrigins`), by CORS. They send a key or a token.
 * Cookies are never allowed across origins, so no other page can use somebody's session.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { matcherOf } from "../api/match.ts";
import { ROUTES } from "../api/routes.ts";
import { AppError } from "../core/errors.ts";

const EXPOSED =
  "Location, Content-Location, Retry-After, X-Request-Id, Idempotent-Replayed, Preference-Applied, ETag, X-Should-Retry";
const PREFLIGHT_S = "600";
const PATHS = Map.groupBy(ROUTES, ({ path }) => path)
  .entries()
  .map(([path, routes]) => ({
    matches: matcherOf({ method: "GET", path }),
    methods: routes.map(({ method }) => method),
  }))
  .toArray();

export class Origins {
  readonly #allowed: ReadonlySet<string>;

  constructor(allowed: readonly string[]) {
    this.#allowed = new Set(allowed);
  }

  allows(origin: string | undefined): boolean {
    return origin !== undefined && this.#allowed.has(origin);
  }

  /** Lets a page of an allowed origin read the answer. */
  expose({ headers: { origin } }: IncomingMessage, response: ServerResponse): void {
    if (this.#allowed.size === 0) return;
    response.setHeader("Vary", "Origin");
    if (origin === undefined || !this.#allowed.has(origin)) return;
    response.setHeader("Access-Control-Allow-Origin", origin);
    response.setHeader("Access-Control-Expose-Headers", EXPOSED);
  }

  /** OPTIONS needs no key, because a preflight has none. @throws AppError NOT_FOUND */
  answerOptions({ url, headers }: IncomingMessage, response: ServerResponse): void {
    const methods = url === "*" ? ["GET", "POST", "DELETE"] : methodsAt(url);
    if (methods.length === 0) throw new AppError("NOT_FOUND", `There is nothing at ${url}.`);
    const allow = [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"].join(", ");
    response.setHeader("Allow", allow);
    if (this.allows(headers.origin) && headers["access-control-request-method"] !== undefined) {
      response.setHeader("Access-Control-Allow-Methods", allow);
      // Name the headers one by one, because `*` does not include Authorization.
      const asked = headers["access-control-request-headers"];
      if (typeof asked === "string") response.setHeader("Access-Control-Allow-Headers", asked);
      response.setHeader("Access-Control-Max-Age", PREFLIGHT_S);
    }
    response.writeHead(204);
    response.end();
  }
}

function methodsAt(url: string | undefined): string[] {
  return PATHS.filter(({ matches }) => matches("GET", url)).flatMap(({ methods }) => methods);
}
