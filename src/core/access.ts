/**
 * What `config/access.ts` can say about who may use the server, described once. The setting API_KEYS is the short form;
 * the keys of both count.
 */
import { z } from "zod";
import { CAP, field, listOf, problemsIn, section, text, wholeNumber } from "./config-fields.ts";
import { ROLES } from "./principal.ts";

const role = () => field(z.enum(ROLES), `to be one of ${ROLES.join(", ")}`);
const name = () => field(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), "to be 1 to 64 letters, digits, - and _");
const httpsUrl = () => field(z.url({ protocol: /^https?$/ }), "to be an http(s) URL");

const KEY = section({
  name: name(),
  /** The secret's SHA-256 in hexadecimal: `printf %s "$SECRET" | sha256sum`. So the file does not hold the secret. */
  sha256: field(z.string().regex(/^[0-9a-f]{64}$/), "to be a SHA-256 in hexadecimal, 64 digits"),
  role: role().default("admin"),
});

/** An issuer of your users' tokens: JWTs, checked with the keys behind `jwksUrl`. */
const PROVIDER = section({
  /** A user is known as `name:user`. */
  name: name(),
  issuer: text("to be what tokens have as `iss`"),
  audience: text("to be what tokens have as `aud`"),
  jwksUrl: httpsUrl(),
  /** How far the issuer's clock and the server's clock may be apart. */
  clockSkewS: wholeNumber({ min: 0, max: 600 }).default(30),
  /** The claim that names the user. */
  userClaim: text("to be the name of a claim").default("sub"),
  /**
   * The claim that holds the role, and which of its values means which role. A user with none of these values has
   * `role`.
   */
  roleClaim: text("to be the name of a claim").optional(),
  roles: field(
    z.record(z.string(), z.enum(ROLES)),
    `to be an object of roles, each one of ${ROLES.join(", ")}`,
  ).default({}),
  role: role().default("client"),
});

/**
 * What each principal with the role client may have at once; all but `queuedRuns` count per worker. Wide enough for an
 * application that asks for all its users with one key; choose smaller limits where every user has a token.
 */
const LIMITS = section({
  /** Requests under way, including streams. */
  requests: wholeNumber().default(1_000),
  sockets: wholeNumber().default(100),
  /** Runs that wait in the queue. */
  queuedRuns: wholeNumber().default(1_000),
});

const ACCESS = section({
  keys: z.array(KEY).readonly().default([]),
  /** Pages of these origins may call the API from a browser: `https://app.example.com`. */
  allowedOrigins: field(
    z.array(z.string().regex(/^https?:\/\/[^/\s*]+$/)).readonly(),
    'to be a list of origins such as "https://app.example.com", without a path or *',
  ).default([]),
  identityProviders: z.array(PROVIDER).readonly().default([]),
  /** Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed. */
  trustedProxies: listOf('addresses or networks such as "10.0.0.0/8"').default(["127.0.0.0/8", "::1"]),
  limits: LIMITS.prefault({}),
  /** What each principal may spend with all agents together, per UTC day. Agents have budgets of their own. */
  budget: section({ principalDay: CAP.optional() }).optional(),
});

export type AccessConfig = Readonly<z.input<typeof ACCESS>>;
export type Access = Readonly<z.output<typeof ACCESS>>;
export type IdentityProvider = Access["identityProviders"][number];
export type PrincipalLimits = Access["limits"];

/** Called once in `config/access.ts`. Throws one error that lists every mistake. */
export function defineAccess(config: AccessConfig): Access {
  const problems = problemsIn(ACCESS, config).map((problem) => `Expected ${problem}.`);
  if (problems.length > 0) throw new Error(`this access cannot be used:\n  ${problems.join("\n  ")}`);
  return ACCESS.parse(config);
}

/** Used when there is no `config/access.ts`. */
export const DEFAULT_ACCESS: Access = defineAccess({});
