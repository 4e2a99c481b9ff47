/** Tells which requests belong to a route. The guard and the fast lane ask this before the router does. */
import type { Route } from "./route.ts";

export type Matcher = (method: string | undefined, url: string | undefined) => boolean;

/** A route for GET also takes HEAD. The query does not matter. */
export function matcherOf({ method, path }: Pick<Route, "method" | "path">): Matcher {
  const methods: readonly (string | undefined)[] = method === "GET" ? ["GET", "HEAD"] : [method];
  const pattern = path
    .split(/\{\w+\}/)
    .map((text) => RegExp.escape(text))
    .join("[^/?]+");
  const target = new RegExp(`^${pattern}(\\?|$)`);
  return (given, url = "") => methods.includes(given) && target.test(url);
}
