/** Reads one variable at a time and collects what is wrong, so that `parseSettings` reports all of it at once. */
import { AGE_WORDS, ageMs } from "./core/age.ts";
import { ROLES, type Role } from "./core/principal.ts";
import type { Env } from "./environment.ts";

interface CountOptions {
  readonly fallback: number;
  readonly min?: number;
  readonly max: number;
}

/** How many processes of a kind there may be. */
export interface ProcessBounds {
  readonly min: number;
  readonly max: number;
  /** The number follows that of the cores. */
  readonly isAuto: boolean;
}

export interface ApiKey {
  readonly name: string;
  readonly secret: string;
  /** Admin when left out. */
  readonly role?: Role;
}

/** A secret may have colons; its last part is a role only when it is the name of one. */
const API_KEY = new RegExp(`^\\s*([A-Za-z0-9_-]{1,64}):(\\S{8,}?)(?::(${ROLES.join("|")}))?\\s*$`);

/** Values of a variable that a script or template did not fill in. */
const PLACEHOLDER = /^(undefined|null|none|changeme|\$\{.*\}|\$[A-Z_]+|<.*>)$/i;
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

export class SettingsReader {
  readonly problems: string[] = [];
  /** Every name that was asked for. */
  readonly names = new Set<string>();
  /** The names whose value is a secret, or may contain one. */
  readonly secretNames = new Set<string>();
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  text(name: string, fallback: string): string {
    const value = this.#value(name);
    if (value === "") this.#expected(name, "not to be empty");
    return value ?? fallback;
  }

  /** Part of a URL's path, with a / in front and none behind; empty when it is unset, or is /. */
  path(name: string): string {
    const value = (this.#value(name) ?? "").replace(/\/$/, "");
    // Clients resolve "." and ".." themselves, so a path with one would never be asked for.
    if (!/^(\/(?!\.{1,2}(\/|$))[\w.~-]+)*$/.test(value)) this.#expected(name, 'to be a path such as "/evenkeel"');
    return value;
  }

  count(name: string, { fallback, min = 1, max }: CountOptions): number {
    const value = this.#value(name);
    if (value === undefined) return fallback;
    const number = wholeNumber(value);
    if (number >= min && number <= max) return number;
    this.#expected(name, `to be a whole number from ${min} to ${max}`);
    return fallback;
  }

  /** A number, a range such as `2..8`, or `auto`. */
  processes(name: string, { fallback, max, auto }: CountOptions & { readonly auto: number }): ProcessBounds {
    const value = this.#value(name) ?? String(fallback);
    if (value === "auto") return { min: Math.min(auto, max), max: Math.min(auto, max), isAuto: true };
    const [from = "", to = from, ...more] = value.split("..");
    const bounds = { min: wholeNumber(from), max: wholeNumber(to), isAuto: false };
    if (more.length === 0 && bounds.min >= 1 && bounds.min <= bounds.max && bounds.max <= max) return bounds;
    this.#expected(name, `to be a whole number from 1 to ${max}, a range such as "2..8", or "auto"`);
    return { min: fallback, max: fallback, isAuto: false };
  }

  /** Milliseconds; undefined for "forever". */
  age(name: string, fallback: string): number | undefined {
    const value = ageMs(this.#value(name) ?? fallback);
    if (!Number.isNaN(value)) return value;
    this.#expected(name, `to be ${AGE_WORDS}`);
    return ageMs(fallback);
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#value(name);
    if (value === undefined) return fallback;
    if (/^(true|1|yes|on)$/i.test(value)) return true;
    if (/^(false|0|no|off)$/i.test(value)) return false;
    this.#expected(name, 'to be "true" or "false"');
    return fallback;
  }

  choice<const T extends string>(name: string, choices: readonly T[], fallback: NoInfer<T>): T {
    const value = this.#value(name);
    if (value === undefined) return fallback;
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) this.#expected(name, `to be one of ${choices.map((choice) => `"${choice}"`).join(", ")}`);
    return chosen ?? fallback;
  }

  /** A secret that is sent as a header; "" when it is unset. A message about it never repeats it. */
  secret(name: string): string {
    const value = this.#secretValue(name);
    const problem = value === "" ? undefined : problemOfSecret(value);
    if (problem !== undefined) this.problems.push(`Expected \`${name}\` to be a key, but it ${problem}.`);
    return value;
  }

  /** `name:secret[:role],…`; unset or empty means none. */
  apiKeys(name: string): ApiKey[] {
    const value = this.#secretValue(name);
    if (value === "") return [];
    const keys = value.split(",").map((entry) => API_KEY.exec(entry));
    if (keys.includes(null)) {
      this.problems.push(
        `Expected \`${name}\` to be "name:secret[:role],…", the role one of ${ROLES.join(", ")}, ` +
          "each secret at least 8 characters without spaces or commas.",
      );
    }
    const found = keys
      .filter((key) => key !== null)
      .map(([, keyName = "", secret = "", role]) => ({
        name: keyName,
        secret,
        ...(role !== undefined && { role: role as Role }),
      }));
    this.#checkKeys(name, found);
    return found;
  }

  /** An http(s) URL without its user and password; "" when it is unset. Neither of the two is ever shown. */
  url(name: string): { readonly url: string; readonly authorization: string | null } {
    const value = this.#secretValue(name);
    if (value === "") return { url: "", authorization: null };
    const url = URL.parse(value);
    if (!url || !/^https?:$/.test(url.protocol) || !VISIBLE_ASCII.test(value)) {
      this.problems.push(`Expected \`${name}\` to be an http(s) URL, got ${JSON.stringify(hideUserInfo(value))}.`);
      return { url: "", authorization: null };
    }
    const { username, password } = url;
    const userInfo = `${decode(username)}:${decode(password)}`;
    url.username = "";
    url.password = "";
    const authorization = username || password ? `Basic ${Buffer.from(userInfo).toString("base64")}` : null;
    return { url: url.href.replace(/(?<!\/)\/+$/, ""), authorization };
  }

  /** The URL of a Postgres database, "" when it is unset. May contain a password: a message never repeats it. */
  database(name: string): string {
    const value = this.#secretValue(name);
    if (value === "" || /^postgres(ql)?:$/.test(URL.parse(value)?.protocol ?? "")) return value;
    this.problems.push(
      `Expected \`${name}\` to be a URL such as "postgres://user:password@host:5432/database", got ${JSON.stringify(hideUserInfo(value))}.`,
    );
    return "";
  }

  /** The URL of a Redis, "" when it is unset. May contain a password: a message never repeats it. */
  redis(name: string, hasDatabase: boolean): string {
    const value = this.#secretValue(name);
    if (value === "") return "";
    if (!isRedisUrl(value)) {
      this.problems.push(
        `Expected \`${name}\` to be a URL such as "redis://user:password@host:6379", or "rediss://…" for TLS, without ` +
          `"?" or "#", got ${JSON.stringify(hideUserInfo(value))}.`,
      );
    } else if (!hasDatabase) {
      this.problems.push(
        `\`${name}\` is set without \`DATABASE_URL\`. Redis only carries the news of a Postgres: set \`DATABASE_URL\`, too, ` +
          `or remove \`${name}\`.`,
      );
    } else return value;
    return "";
  }

  /** Refuses settings that would do nothing, because `base` is unset. An empty setting counts as unset. */
  refuseWithout(base: string, names: readonly string[]): void {
    const isSet = (name: string) => (this.#value(name) ?? "").trim() !== "";
    const useless = names.filter(isSet);
    if (isSet(base)) return;
    for (const name of useless)
      this.problems.push(`\`${name}\` is set without \`${base}\`: set \`${base}\`, too, or remove \`${name}\`.`);
  }

  /**
   * HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as far as they are set. They are variables of every program, so a tool may
   * get them too.
   */
  proxy(): Record<string, string> {
    const proxy: Record<string, string> = {};
    for (const name of PROXY_VARIABLES) {
      const value = (this.#env[name.toLowerCase()] ?? this.#env[name])?.trim();
      if (!value) continue;
      proxy[name] = value;
      // The message must not repeat the value: a proxy's URL may hold a password.
      if (name !== "NO_PROXY" && !/^https?:\/\/[^/]/.test(value))
        this.problems.push(`Expected \`${name}\` to be an http(s) URL such as "http://proxy.example.org:3128".`);
    }
    return proxy;
  }

  #checkKeys(name: string, keys: readonly ApiKey[]): void {
    for (const key of keys) {
      const problem = problemOfSecret(key.secret);
      if (problem) this.problems.push(`Expected \`${name}\` to hold secrets, but that of "${key.name}" ${problem}.`);
      if (RESERVED_NAMES.has(key.name.toLowerCase())) {
        this.problems.push(
          `Expected \`${name}\` to name who asks, but "${key.name}" is reserved. Choose another name.`,
        );
      }
    }
    for (const twice of repeated(keys.map((key) => key.name))) {
      this.problems.push(`Expected \`${name}\` to name each key once, got "${twice}" twice.`);
    }
    const [secret] = repeated(keys.map((key) => key.secret));
    if (secret !== undefined) {
      const sharing = keys.filter((key) => key.secret === secret).map((key) => `"${key.name}"`);
      this.problems.push(
        `Expected \`${name}\` to hold a secret of its own for each name, but ${sharing.join(" and ")} share one.`,
      );
    }
  }

  #secretValue(name: string): string {
    this.secretNames.add(name);
    return this.#value(name)?.trim() ?? "";
  }

  #value(name: string): string | undefined {
    this.names.add(name);
    return this.#env[name];
  }

  #expected(name: string, what: string): void {
    this.problems.push(`Expected \`${name}\` ${what}, got ${JSON.stringify(this.#env[name] ?? "")}.`);
  }
}

/** Variables that say which proxy to use; in small letters too, as curl has them. */
const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] as const;

/** NaN for a text that is no number. */
function wholeNumber(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}

/** Names that logs and the API use for somebody without a key. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(["anonymous", "local", "system", "evenkeel"]);

/** @returns the end of a sentence that begins with the secret, or undefined when the secret is usable */
function problemOfSecret(secret: string): string | undefined {
  if (PLACEHOLDER.test(secret)) return "is a placeholder that was never filled in";
  if (/^["'`]|["'`]$/.test(secret)) return "is in quotes, which become part of it. Remove them";
  if (!VISIBLE_ASCII.test(secret)) return "has characters that no header can carry (beyond visible ASCII)";
  return undefined;
}

function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}

/** Decodes a part of a URL; text that is not percent-encoded stays as it is. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** PUBLISH and SUBSCRIBE know no database number, but URLs of Redis often end in one. */
function isRedisUrl(value: string): boolean {
  const url = URL.parse(value);
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === "") return false;
  const isEncoded = [url.username, url.password].every((part) => /^(?:[^%]|%[\da-f]{2})*$/i.test(part));
  return isEncoded && /^\/?\d*$/.test(url.pathname) && url.search === "" && url.hash === "";
}

function hideUserInfo(url: string): string {
  return url.replace(/^.*@/s, "…@");
}
