/**
 * The principal of a request, and what its role allows. A run, its thread and all their data belong to the principal
 * that made them.
 */

/**
 * viewer: reads everything, changes nothing · client: chats, and sees only its own · admin: sees and ends everything.
 */
export const ROLES = ["viewer", "client", "admin"] as const;
export type Role = (typeof ROLES)[number];

export interface Principal {
  /** The owner as it is stored with runs and threads: a key's name, `provider:user`, or `local`. */
  readonly id: string;
  /** `none`: a request without a key, for routes that need none. */
  readonly role: Role | "none";
  /** The key or identity provider. Logs and metrics may name it, but never the user. */
  readonly via: string;
  /** The request came with the dashboard's cookie, which a browser also sends for requests of other pages. */
  readonly byCookie?: true;
}

/** A request without a key, on a path that needs no key. */
export const ANONYMOUS: Principal = { id: "anonymous", role: "none", via: "anonymous" };

/** The principal of every request from this machine while there are no API keys. */
export const LOCAL: Principal = { id: "local", role: "admin", via: "local" };

/**
 * What a route requires. anyone: no key · viewer: any role · operator: a role that reads everything · client: a role
 * that chats · admin: a role that may change what belongs to others.
 */
const ALLOWED = {
  anyone: ["none", ...ROLES],
  viewer: ROLES,
  operator: ["viewer", "admin"],
  client: ["client", "admin"],
  admin: ["admin"],
} as const satisfies Record<string, readonly Principal["role"][]>;

export type Access = keyof typeof ALLOWED;

export function may({ role }: Principal, access: Access): boolean {
  return (ALLOWED[access] as readonly string[]).includes(role);
}

/** The only owner whose things it may see; undefined when it sees everything. */
export function onlyOwner({ id, role }: Principal): string | undefined {
  return role === "viewer" || role === "admin" ? undefined : id;
}
