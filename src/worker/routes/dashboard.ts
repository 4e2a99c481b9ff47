/**
 * The dashboard: `GET /` and its files, from dist/dashboard/ (vite.config.ts). The files hold no data, so they need no
 * key even when there are API keys (guard.ts); the page itself asks for a key.
 */
import { join } from "node:path";
import { OPEN_DASHBOARD, READ_ASSET, READ_ICON, READ_THEME } from "../../api/page.ts";
import { ROUTES } from "../../api/routes.ts";
import { AppError } from "../../core/errors.ts";
import { ROOT } from "../../tree.ts";
import { VERSION } from "../../version.ts";
import type { AppRouter, RouteDeps } from "../context.ts";
import { pageHeaders } from "../page-headers.ts";
import { PageFiles, type PageFile } from "../page-files.ts";
import { assertMay, serve, TAKEN, type Context } from "../serve.ts";

const OUTPUT = join(ROOT, "dist/dashboard");

/** Lets the browser run only what we built ourselves. */
const PROTECTION = pageHeaders([
  ...["script", "style", "font", "connect", "worker", "manifest"].map((kind) => `${kind}-src 'self'`),
  "img-src 'self' data:",
]);

/** The routes that a program at `/` can read without knowing an id. */
const INDEX = ROUTES.filter(({ method, path }) => method === "GET" && path !== "/" && !path.includes("{")).map(
  ({ path }) => path,
);

/** The build names these files after their content, so they never change. */
const FOR_EVER = "public, max-age=31536000, immutable";
const ASK_FIRST = "no-cache";

export function dashboardRoutes(
  router: AppRouter,
  { settings }: RouteDeps,
  files = new PageFiles(OUTPUT, { live: settings.reload }),
): void {
  serve(router, OPEN_DASHBOARD, async (_asked, ctx) => {
    ctx.vary("Accept");
    if (ctx.accepts("html", "json") === "json") return answerIndex(ctx, settings.basePath);
    const page = await files.find("index.html").catch(() => undefined);
    return page ? send(ctx, page, ASK_FIRST) : sayNotBuilt(ctx);
  });

  for (const route of [READ_ICON, READ_THEME, READ_ASSET]) {
    serve(router, route, async (_asked, ctx) => {
      const file = await files.find(ctx.path.slice(1)).catch(() => undefined);
      if (!file) throw new AppError("NOT_FOUND", `The dashboard has no file ${ctx.path}. Reload the page.`);
      return send(ctx, file, route === READ_ASSET ? FOR_EVER : ASK_FIRST);
    });
  }
}

/** The answer for programs that ask for JSON at `/`. */
function answerIndex(ctx: Context, basePath: string): typeof TAKEN {
  assertMay(ctx.state.principal, { access: "viewer" });
  ctx.body = {
    name: "evenkeel",
    version: VERSION,
    see: INDEX.map((path) => `${basePath}${path}`),
  };
  return TAKEN;
}

function sayNotBuilt(ctx: Context): typeof TAKEN {
  ctx.status = 503;
  ctx.type = "text/plain; charset=utf-8";
  ctx.body = "The dashboard is not built. Run `npm run build`, then load this page again. The API works without it.\n";
  return TAKEN;
}

function send(ctx: Context, file: PageFile, cacheControl: string): typeof TAKEN {
  ctx.vary("Accept-Encoding");
  ctx.set(PROTECTION);
  ctx.set({ "Cache-Control": cacheControl, ETag: file.etag });
  ctx.status = 200;
  if (ctx.fresh) {
    ctx.status = 304;
    return TAKEN;
  }
  const encoding = ctx.acceptsEncodings("br", "gzip", "identity");
  const encoded = encoding === "br" || encoding === "gzip" ? file.encoded.get(encoding) : undefined;
  if (encoded && encoding) ctx.set("Content-Encoding", encoding);
  ctx.type = file.type;
  ctx.body = encoded ?? file.body;
  return TAKEN;
}
