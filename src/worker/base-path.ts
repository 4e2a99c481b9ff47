/**
 * Serves under a path of a proxy (BASE_PATH): whether the proxy passes the path on or removes it, the rest of the
 * server sees the same request. Called before all other code sees the request.
 */
import type { IncomingMessage, ServerResponse } from "node:http";

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
