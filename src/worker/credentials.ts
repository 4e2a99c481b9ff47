/**
 * Finds the principal of a request by its API key, its token of an identity provider, or the session cookie that stands
 * for one of them. Sessions are not stored: the cookie names the key and the end of the session, signed with that key.
 * So a session ends with its key, and every worker can check it. Called by `guard.ts`.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Access } from "../core/access.ts";
import { AppError } from "../core/errors.ts";
import type { Principal } from "../core/principal.ts";
import type { ApiKey } from "../settings-reader.ts";
import { Tokens } from "./tokens.ts";

const SESSION_S = 7 * 24 * 3600;
const TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;

export const HOW_TO_AUTHORIZE = "Send one of the server's API keys as `Authorization: Bearer <secret>`.";

interface Key {
  readonly principal: Principal;
  readonly digest: Buffer;
}

export class Credentials {
  readonly #keys: readonly Key[];
  readonly #tokens: Tokens | undefined;

  constructor(apiKeys: readonly ApiKey[], { keys, identityProviders }: Pick<Access, "keys" | "identityProviders">) {
    this.#keys = [
      ...apiKeys.map(({ name, secret, role = "admin" }) => keyOf({ name, role, digest: digestOf(secret) })),
      ...keys.map(({ name, sha256, role }) => keyOf({ name, role, digest: Buffer.from(sha256, "hex") })),
    ];
    this.#tokens = identityProviders.length > 0 ? new Tokens(identityProviders) : undefined;
  }

  /** False in protected mode. */
  get needed(): boolean {
    return this.#keys.length > 0 || this.#tokens !== undefined;
  }

  /** @param secret a key or a token. @throws AppError UNAUTHORIZED; for a token, the promise rejects with it */
  principalOf(secret: string | undefined): Principal | Promise<Principal> {
    const key = this.#keyOf(secret);
    if (key) return key.principal;
    if (secret !== undefined && this.#tokens && TOKEN.test(secret)) return this.#tokens.principalOf(secret);
    throw new AppError("UNAUTHORIZED", HOW_TO_AUTHORIZE);
  }

  /** The value and lifetime of a session cookie for this secret, which was checked before. */
  sessionFor(secret: string): { readonly value: string; readonly maxAgeS: number } {
    const key = this.#keyOf(secret);
    // A token itself contains the time of its end.
    if (!key) return { value: `t.${secret}`, maxAgeS: SESSION_S };
    const expires = Math.floor(Date.now() / 1000) + SESSION_S;
    return { value: `k.${key.principal.id}.${expires}.${signatureOf(key, expires)}`, maxAgeS: SESSION_S };
  }

  /** @throws AppError UNAUTHORIZED; a promise rejects with it */
  principalOfSession(session: string): Principal | Promise<Principal> {
    if (session.startsWith("t.")) return Promise.resolve(this.principalOf(session.slice(2))).then(byCookie);
    const [, name, expires = "", signature = ""] = session.split(".");
    // While a key is being replaced by another, two keys have the same name.
    const named = this.#keys.filter(({ principal }) => principal.id === name);
    const key = named.find((candidate) => isSame(signatureOf(candidate, Number(expires)), signature));
    if (!key || Number(expires) <= Date.now() / 1000)
      throw new AppError("UNAUTHORIZED", "The session has ended; sign in again.");
    return byCookie(key.principal);
  }

  #keyOf(secret: string | undefined): Key | undefined {
    // A comparison in constant time needs values of equal length, which digests are.
    const digest = digestOf(secret ?? "");
    const key = this.#keys.find((candidate) => timingSafeEqual(candidate.digest, digest));
    return secret === undefined ? undefined : key;
  }
}

function keyOf({ name, role, digest }: { name: string; role: Principal["role"]; digest: Buffer }): Key {
  return { principal: { id: name, role, via: name }, digest };
}

function byCookie(principal: Principal): Principal {
  return { ...principal, byCookie: true };
}

function signatureOf({ principal, digest }: Key, expires: number): string {
  return createHmac("sha256", digest).update(`evenkeel session ${principal.id} ${expires}`).digest("base64url");
}

function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digestOf(one), digestOf(other));
}

function digestOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
