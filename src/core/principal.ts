/** The principal of a request, and what its role allows. A run, a thread and what hangs on them belong to the principal that made them. */

/** viewer: reads everything, changes nothing · client: chats, and sees its own · admin: sees and ends everything. */
export const ROLES = ["viewer", "client", "admin"] as const;
export type Role = (typeof ROLES)[number];

export interface Principal {
  /** Whose runs and threads are, as they are stored: a key's name, `provider:user`, or `local`. */
  readonly id: string;
  /** `none`: without a key, for what needs none. */
  readonly role: Role | "none";
  /** The key or identity provider. Logs and metrics may name it; a user they may not. */
  readonly via: string;
  /** It came by the dashboard's cookie, which a browser also sends when another page makes it. */
  readonly byCookie?: true;
}

/** A request without a key, on a path that needs none. */
export const ANONYMOUS: Principal = { id: "anonymous", role: "none", via: "anonymous" };

/** The principal of every request from this machine while there are no API keys. */
export const LOCAL: Principal = { id: "local", role: "admin", via: "local" };

/**
 * What a route asks for. anyone: no key · viewer: any role · operator: who reads everything · client: who chats ·
 * admin: who may change what is not its own.
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

/** The owner that everything it may see has; undefined when it sees everything. */
export function onlyOwner({ id, role }: Principal): string | undefined {
  return role === "viewer" || role === "admin" ? undefined : id;
}
