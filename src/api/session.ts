/** Signing in: a page exchanges its key for a cookie, which `EventSource` sends and which no script can read. */
import { z } from "zod";
import { ROLES } from "../core/principal.ts";
import { empty, json, route } from "./route.ts";

const SESSION = z
  .object({
    principal: z
      .string()
      .describe("The owner of the runs and threads that you make: the name of a key, or `provider:user`."),
    role: z.enum(ROLES),
    via: z.string().describe("The key or identity provider that was used."),
  })
  .meta({ id: "Session" });

export type Session = Readonly<z.output<typeof SESSION>>;

const query = z.strictObject({});
const answers = { 200: json(SESSION, "Who you are here.") } as const;

export const SHOW_SESSION = route({
  method: "GET",
  path: "/api/session",
  access: "viewer",
  summary: "Show who you are and what you may do",
  query,
  answers,
});

export const SIGN_IN = route({
  method: "POST",
  path: "/api/session",
  access: "viewer",
  summary: "Sign in: exchange the key or token of `Authorization` for a cookie",
  description:
    "The cookie is HttpOnly and SameSite=Strict. A request that changes something with the cookie must come from the server's own page.",
  query: z.strictObject({
    remember: z.boolean().default(true).describe("False: the cookie ends when the browser is closed."),
  }),
  answers,
});

export const SIGN_OUT = route({
  method: "DELETE",
  path: "/api/session",
  access: "anyone",
  summary: "Sign out: delete the cookie",
  query,
  answers: { 204: empty("You are signed out.") },
});
