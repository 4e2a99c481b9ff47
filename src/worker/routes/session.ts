/** Signing in and out: the cookie that stands for a key or token. `credentials.ts` makes and reads its value. */
import { SHOW_SESSION, SIGN_IN, SIGN_OUT } from "../../api/session.ts";
import { ROLES, type Principal } from "../../core/principal.ts";
import type { AppRouter, RouteDeps } from "../context.ts";
import { bearerOf, SESSION_COOKIE } from "../guard.ts";
import { answer, serve } from "../serve.ts";

export function sessionRoutes(router: AppRouter, { guard, settings }: RouteDeps): void {
  const path = settings.basePath || "/";
  serve(router, SHOW_SESSION, (_asked, ctx) => answer(200, show(ctx.state.principal)));

  serve(router, SIGN_IN, ({ query }, ctx) => {
    const secret = bearerOf(ctx.req);
    // Without API keys no session is needed, and a request that came with a session has one already.
    if (guard.credentials.needed && secret !== undefined) {
      const { value, maxAgeS } = guard.credentials.sessionFor(secret);
      const lasting = query.remember ? { maxAgeS } : {};
      ctx.set("Set-Cookie", cookie({ value, ...lasting, path, isSecure: guard.isSecure(ctx.req) }));
    }
    return answer(200, show(ctx.state.principal));
  });

  serve(router, SIGN_OUT, (_asked, ctx) =>
    answer(204, undefined, {
      "Set-Cookie": cookie({ value: "", maxAgeS: 0, path, isSecure: guard.isSecure(ctx.req) }),
    }),
  );
}

function show({ id, role, via }: Principal) {
  // A principal without a role never gets here.
  return { principal: id, role: ROLES.find((known) => known === role) ?? "viewer", via };
}

interface Cookie {
  readonly value: string;
  /** Undefined: until the browser is closed. */
  readonly maxAgeS?: number;
  readonly path: string;
  readonly isSecure: boolean;
}

function cookie({ value, maxAgeS, path, isSecure }: Cookie): string {
  const attributes = [
    `Path=${path}`,
    ...(maxAgeS === undefined ? [] : [`Max-Age=${maxAgeS}`]),
    "HttpOnly",
    "SameSite=Strict",
    ...(isSecure ? ["Secure"] : []),
  ];
  return [`${SESSION_COOKIE}=${value}`, ...attributes].join("; ");
}
