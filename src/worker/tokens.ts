/**
 * Users of an identity provider: their JWTs, checked by the provider's public keys. `jose` is loaded with the first
 * token. Called by `credentials.ts`.
 */
import { createHash } from "node:crypto";
import type { JWTPayload, JWTVerifyGetKey } from "jose";
import type { IdentityProvider } from "../core/access.ts";
import { AppError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";

/** Only public-key algorithms: with a shared secret, everybody who can check a token could also make one. */
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
/** Tokens that were valid, until they expire. At the bound the oldest is forgotten, and checked again when it comes. */
const MAX_KNOWN = 10_000;
/** Checks under way; each may wait for the provider. */
const MAX_CHECKS = 64;
const KEYS_TIMEOUT_MS = 5_000;

interface KnownUser {
  readonly principal: Principal;
  /** Seconds since the epoch. */
  readonly expires: number;
}

export class Tokens {
  readonly #providers: readonly IdentityProvider[];
  readonly #keys = new Map<string, JWTVerifyGetKey>();
  readonly #known = new Map<string, KnownUser>();
  #checks = 0;

  constructor(providers: readonly IdentityProvider[]) {
    this.#providers = providers;
  }

  /** @throws AppError UNAUTHORIZED, IDENTITY_UNAVAILABLE, OVERLOADED */
  async principalOf(token: string): Promise<Principal> {
    const digest = createHash("sha256").update(token).digest("base64url");
    const known = this.#known.get(digest);
    if (known && known.expires > Date.now() / 1000) return known.principal;
    if (this.#checks >= MAX_CHECKS)
      throw new AppError("OVERLOADED", "Too many tokens are being checked; send the request again.", {
        retryAfterS: 1,
      });
    this.#checks += 1;
    try {
      const user = await this.#check(token);
      this.#known.delete(digest);
      if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.keys().next().value ?? "");
      this.#known.set(digest, user);
      return user.principal;
    } finally {
      this.#checks -= 1;
    }
  }

  async #check(token: string): Promise<KnownUser> {
    const jose = await import("jose");
    const provider = this.#providerOf(issuerOf(token, jose.decodeJwt));
    let keys = this.#keys.get(provider.name);
    if (!keys) {
      keys = jose.createRemoteJWKSet(new URL(provider.jwksUrl), { timeoutDuration: KEYS_TIMEOUT_MS });
      this.#keys.set(provider.name, keys);
    }
    const { issuer, audience, clockSkewS: clockTolerance, userClaim } = provider;
    const requiredClaims = ["exp", userClaim];
    try {
      const { payload } = await jose.jwtVerify(token, keys, {
        issuer,
        audience,
        clockTolerance,
        requiredClaims,
        algorithms: ALGORITHMS,
      });
      return { principal: userOf(payload, provider), expires: (payload.exp ?? 0) + clockTolerance };
    } catch (error) {
      throw refusalOf(error, provider);
    }
  }

  #providerOf(issuer: string | undefined): IdentityProvider {
    const provider = this.#providers.find((candidate) => candidate.issuer === issuer);
    if (provider) return provider;
    throw new AppError("UNAUTHORIZED", "The token comes from an issuer that config/access.ts does not name.");
  }
}

function issuerOf(token: string, decode: (token: string) => JWTPayload): string | undefined {
  try {
    return decode(token).iss;
  } catch (error) {
    throw new AppError("UNAUTHORIZED", "This is neither an API key nor a token.", { cause: error });
  }
}

function userOf(payload: JWTPayload, { name, userClaim, roleClaim, roles, role }: IdentityProvider): Principal {
  const user = payload[userClaim];
  if (typeof user !== "string" || !/^\S{1,256}$/.test(user))
    throw new AppError("UNAUTHORIZED", `The token's \`${userClaim}\` has to be 1 to 256 characters without spaces.`);
  const said = roleClaim === undefined ? [] : [payload[roleClaim]].flat();
  const given = said.map((value) =>
    typeof value === "string" && Object.hasOwn(roles, value) ? roles[value] : undefined,
  );
  // If a token names several roles, the strongest one counts.
  const strongest = (["admin", "client", "viewer"] as const).find((candidate) => given.includes(candidate));
  return { id: `${name}:${user}`, role: strongest ?? role, via: name };
}

/** A finding of jose as a sentence for the client; a provider that cannot be reached as our own failure. */
function refusalOf(error: unknown, { name, jwksUrl }: IdentityProvider): AppError {
  if (error instanceof AppError) return error;
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  if (
    code.startsWith("ERR_JWT") ||
    code.startsWith("ERR_JWS") ||
    code === "ERR_JWKS_NO_MATCHING_KEY" ||
    code === "ERR_JOSE_ALG_NOT_ALLOWED"
  ) {
    const reason = error instanceof Error ? error.message : code;
    return new AppError("UNAUTHORIZED", `The token of ${name} is not valid: ${reason}.`, { cause: error });
  }
  const detail = `The keys of ${name} cannot be fetched from ${jwksUrl}, so its tokens cannot be checked; try again.`;
  return new AppError("IDENTITY_UNAVAILABLE", detail, { cause: error, retryAfterS: 2 });
}
