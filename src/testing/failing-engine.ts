/** An engine of which some calls fail, to stand between a worker and its storage. Called by tests of streams and replies. */
import type { Engine } from "../engine/engine.ts";

/** @param fails the error with which this call rejects; undefined lets it through */
export function failing(
  engine: Engine,
  fails: (method: string, args: readonly unknown[]) => Error | undefined,
): Engine {
  return new Proxy(engine, {
    get: (target, name) => {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== "function") return value;
      return (...args: readonly unknown[]) => {
        const error = fails(String(name), args);
        return error ? Promise.reject(error) : (value.apply(target, args) as unknown);
      };
    },
  });
}
