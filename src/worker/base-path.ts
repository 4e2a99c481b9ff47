/**
 * Serves under a path of a proxy (BASE_PATH): whether the proxy passes the path on or removes it, the rest of the
 * server sees the same request. Called before all other code sees the request, and for the texts of errors, which name
 * paths as the rest of the server knows them.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ROUTES } from "../api/routes.ts";

/** Removes the base path. */
export function stripBasePath(request: IncomingMessage, basePath: string): void {
  const { url = "" } = request;
  if (basePath === "" || !url.startsWith(basePath)) return;
  const rest = url.slice(basePath.length);
  if (/^[/?]/.test(rest)) request.url = rest.startsWith("?") ? `/${rest}` : rest;
}

/** The page's links are relative, so it has to be opened with a / at the end. @returns false for any other path */
export function addSlash({ url, method }: IncomingMessage, response: ServerResponse, basePath: string): boolean {
  if (basePath === "" || url !== basePath || (method !== "GET" && method !== "HEAD")) return false;
  response.writeHead(308, { Location: `${basePath}/`, "Content-Length": 0 });
  response.end();
  return true;
}

/** Where a sentence names a path of this server: at its start, or behind a space or a bracket. */
const OWN_PATH = new RegExp(`(?<=^|[ (])/(?:${firstNames().join("|")})(?![\\w-])`, "g");

/** What a client, which asks the proxy, is told. @param text names paths without the base path */
export function pathsUnder(basePath: string, text: string): string {
  return basePath === "" ? text : text.replaceAll(OWN_PATH, (path) => `${basePath}${path}`);
}

/** The first name in the path of each route: `api`, `openapi.json`. */
function firstNames(): string[] {
  const names = new Set(ROUTES.map(({ path }) => path.split("/", 2)[1] ?? ""));
  return [...names].filter((name) => name !== "").map((name) => RegExp.escape(name));
}
