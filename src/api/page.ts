/**
 * The dashboard's files, and the contract's own document. A browser that opens them has no key to send yet, so they
 * need none.
 */
import { media, route } from "./route.ts";

export const OPEN_DASHBOARD = route({
  method: "GET",
  path: "/",
  access: "anyone",
  summary: "The dashboard. With `Accept: application/json`, a list of paths",
  answers: { 200: media("text/html", "The page.") },
});

const FILE = { 200: media("*/*", "The file.") } as const;

export const READ_ASSET = route({
  method: "GET",
  path: "/assets/{name}",
  access: "anyone",
  summary: "A file of the dashboard, named by a hash of its content",
  answers: FILE,
});

export const READ_ICON = route({
  method: "GET",
  path: "/icon.svg",
  access: "anyone",
  summary: "The dashboard's icon",
  answers: FILE,
});

export const READ_THEME = route({
  method: "GET",
  path: "/theme.js",
  access: "anyone",
  summary: "The dashboard's first script",
  answers: FILE,
});

export const READ_DOCS = route({
  method: "GET",
  path: "/docs",
  access: "anyone",
  summary: "This API as a page to read",
  answers: { 200: media("text/html", "The page.") },
});

export const READ_OPENAPI = route({
  method: "GET",
  path: "/openapi.json",
  access: "anyone",
  summary: "This API as OpenAPI 3.1",
  answers: { 200: media("application/json", "The document.") },
});
