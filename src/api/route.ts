/**
 * What a route is: one value that says how a request looks, who may send it and what comes back. The router, the
 * guard, the fast lane, `Allow`, OpenAPI and every client read these values; nothing of a route is written elsewhere.
 */
import type { z } from "zod";
import type { ErrorCode } from "../core/errors.ts";
import type { Access } from "../core/principal.ts";

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** Parameters in braces: `/api/runs/{run_id}`. */
  readonly path: `/${string}`;
  readonly access: Access;
  /** Served by Koa, unless: `fast` by `worker/fast-lane.ts`, `upgrade` by `worker/socket/upgrade.ts`. */
  readonly lane?: "fast" | "upgrade";
  /** One line, for the list of routes. */
  readonly summary: string;
  /** What does not fit into one line. */
  readonly description?: string;
  /** Undefined: the query is ignored. Each parameter is given at most once. */
  readonly query?: z.ZodObject;
  /** Headers that mean something to this route, by their lower-case names. */
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  /** The handler reads the body itself, as it comes. */
  readonly takesStream?: true;
  /** The request of another protocol that clients send to the same path, told apart by its shape. */
  readonly foreign?: Foreign;
  /** Answers by HTTP status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Codes of `core/errors.ts` that this route answers with, beside those that every route may. */
  readonly errors?: readonly ErrorCode[];
}

export interface Foreign<Body extends z.ZodType = z.ZodType> {
  readonly is: (given: Readonly<Record<string, unknown>>) => boolean;
  readonly body: Body;
}

export interface Answer<Body extends z.ZodType = z.ZodType> {
  readonly description: string;
  /** The JSON body, when there is one. */
  readonly json?: Body;
  /** A stream of server-sent events; each event's data is this shape of the document. */
  readonly events?: "RunEvent";
  /** Any other media type, with a body that the contract says nothing of. */
  readonly media?: string;
}

/** Keeps the types of what the route says, for its handler. */
export function route<const R extends Route>(given: R): R {
  return given;
}

export function json<Body extends z.ZodType>(body: Body, description: string) {
  return { json: body, description } as const;
}

/** JSON, or the run's events for a client that accepts `text/event-stream`. */
export function jsonOrEvents<Body extends z.ZodType>(body: Body, description: string) {
  return { json: body, events: "RunEvent", description } as const;
}

export function events(description: string) {
  return { events: "RunEvent", description } as const;
}

export function media(type: string, description: string) {
  return { media: type, description } as const;
}

export function empty(description: string) {
  return { description } as const;
}

/** The names in braces of a path. */
export type ParamNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParamNames<Rest>
  : never;
export function paramNames(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
}
