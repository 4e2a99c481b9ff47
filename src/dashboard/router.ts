/**
 * The current place, kept in the URL's hash: the server needs no fallback route, a reload returns to the place, and a
 * link can be sent to somebody. Each entry of the browser's history has a name, by which a page finds again what it
 * showed there.
 */
import { signal, type ReadonlySignal } from "@preact/signals";
import type { PageName } from "./pages/addresses.ts";

export interface Route {
  /** First part of the path; "overview" for none. */
  readonly page: string;
  readonly id: string | undefined;
  readonly query: URLSearchParams;
  /** Names this entry of the browser's history. */
  readonly entry: string;
  /** True for an entry that was seen before, reached by back, forward or a reload. */
  readonly isReturn: boolean;
}

let entries = 0;
const current = signal(parse(location.hash));

export const route: ReadonlySignal<Route> = current;

addEventListener("hashchange", () => (current.value = parse(location.hash)));

/** `href("runs", "run_1")` → "#/runs/run_1"; `href("overview")` → "#/". */
export function href(page: PageName, id?: string, query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  const path = [page === "overview" ? "" : page, ...(id === undefined ? [] : [encodeURIComponent(id)])].join("/");
  return `#/${path}${search && `?${search}`}`;
}

/** Accepts the results of `href`. */
export function navigate(to: string): void {
  location.hash = to;
}

function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", id] = path.split("/");
  const where = { page: page || "overview", id: id ? decode(id) : undefined, query: new URLSearchParams(search) };
  return { ...where, ...arrive() };
}

/** An entry that has a name already was seen before. */
function arrive(): Pick<Route, "entry" | "isReturn"> {
  const { entry: known } = (history.state ?? {}) as { entry?: unknown };
  if (typeof known === "string") return { entry: known, isReturn: true };
  entries += 1;
  // The time keeps names of entries before and after a reload apart.
  const entry = `${Date.now()}.${entries}`;
  history.replaceState({ entry }, "");
  return { entry, isReturn: false };
}

/** A hand-made URL may hold a stray "%". */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
