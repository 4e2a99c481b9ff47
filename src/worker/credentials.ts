/**
 * Finds the principal of a request by what the request carries: an API key, a token of an identity provider, or the session cookie that
 * stands for one of them. A session is stored nowhere: its cookie says which key and until when, signed with that key,
 * so that it ends with the key and every worker knows it. Called by `guard.ts`.
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

  /** False: protected mode. */
  get needed(): boolean {
    return this.#keys.length > 0 || this.#tokens !== undefined;
  }

  /** @param secret a key or a token. @throws AppError UNAUTHORIZED; a promise of a token rejects with it */
  principalOf(secret: string | undefined): Principal | Promise<Principal> {
    const key = this.#keyOf(secret);
    if (key) return key.principal;
    if (secret !== undefined && this.#tokens && TOKEN.test(secret)) return this.#tokens.principalOf(secret);
    throw new AppError("UNAUTHORIZED", HOW_TO_AUTHORIZE);
  }

  /** What a session cookie for this secret holds, and how long it is good. The secret was found good before. */
  sessionFor(secret: string): { readonly value: string; readonly maxAgeS: number } {
    const key = this.#keyOf(secret);
    // A token says itself until when it is good.
    if (!key) return { value: `t.${secret}`, maxAgeS: SESSION_S };
    const expires = Math.floor(Date.now() / 1000) + SESSION_S;
    return { value: `k.${key.principal.id}.${expires}.${signatureOf(key, expires)}`, maxAgeS: SESSION_S };
  }

  /** @throws AppError UNAUTHORIZED; a promise rejects with it */
  principalOfSession(session: string): Principal | Promise<Principal> {
    if (session.startsWith("t.")) return Promise.resolve(this.principalOf(session.slice(2))).then(byCookie);
    const [, name, expires = "", signature = ""] = session.split(".");
    // While a key is exchanged for another, two have the same name.
    const named = this.#keys.filter(({ principal }) => principal.id === name);
    const key = named.find((candidate) => isSame(signatureOf(candidate, Number(expires)), signature));
    if (!key || Number(expires) <= Date.now() / 1000)
      throw new AppError("UNAUTHORIZED", "The session is over; sign in again.");
    return byCookie(key.principal);
  }

  #keyOf(secret: string | undefined): Key | undefined {
    // Digests have one length, which is what a comparison in constant time needs.
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
