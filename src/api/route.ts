/**
 * What a route is: one value that describes the request, who may send it, and the answers. The router, the guard, the
 * fast lane, `Allow`, OpenAPI and every client read these values; a route is described nowhere else.
 */
import type { z } from "zod";
import type { ErrorCode } from "../core/errors.ts";
import type { Access } from "../core/principal.ts";

export interface Route {
  readonly method: "GET" | "POST" | "DELETE";
  /** With parameters in braces: `/api/runs/{run_id}`. */
  readonly path: `/${string}`;
  readonly access: Access;
  /**
   * What serves the route in place of Koa: `fast` is `worker/fast-lane.ts`, `upgrade` is `worker/socket/upgrade.ts`.
   */
  readonly lane?: "fast" | "upgrade";
  /** One line, for the list of routes. */
  readonly summary: string;
  /** More than fits into one line. */
  readonly description?: string;
  /** Undefined: the query is ignored. Each parameter is given at most once. */
  readonly query?: z.ZodObject;
  /** Headers that this route reads, by their lower-case names. */
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  /** The handler reads the body itself, as it comes. */
  readonly takesStream?: true;
  /** The request of another protocol that clients send to the same path. Its shape tells it apart. */
  readonly foreign?: Foreign;
  /** Answers by HTTP status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Codes of `core/errors.ts` that this route answers with, beside those that every route may answer with. */
  readonly errors?: readonly ErrorCode[];
}

export interface Foreign<Body extends z.ZodType = z.ZodType> {
  readonly is: (given: Readonly<Record<string, unknown>>) => boolean;
  readonly body: Body;
}

export interface Answer<Body extends z.ZodType = z.ZodType> {
  readonly description: string;
  /** The JSON body, if there is one. */
  readonly json?: Body;
  /** A stream of server-sent events; each event's data is this shape of the document. */
  readonly events?: "RunEvent";
  /** Any other media type, whose body the contract does not describe. */
  readonly media?: string;
}

/** Keeps the types of a route's fields, for its handler. */
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
