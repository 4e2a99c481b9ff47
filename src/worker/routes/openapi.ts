/** The contract from docs/, read at the first request: `GET /openapi.json`, and `GET /docs` for people. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { READ_DOCS, READ_OPENAPI } from "../../api/page.ts";
import { ROOT } from "../../tree.ts";
import type { AppRouter, RouteDeps } from "../context.ts";
import { DOCS_STYLE, docsPage, type OpenApiDocument } from "../docs-page.ts";
import { pageHeaders } from "../page-headers.ts";
import { serve, TAKEN } from "../serve.ts";

const FILE = join(ROOT, "docs/openapi.json");
const HEADERS = pageHeaders([`style-src ${DOCS_STYLE}`]);

export function openApiRoutes(router: AppRouter, { settings: { basePath } }: RouteDeps): void {
  const document = once(async () => {
    const file = await readFile(FILE);
    if (basePath === "") return file;
    return Buffer.from(JSON.stringify({ ...(JSON.parse(file.toString()) as object), servers: [{ url: basePath }] }));
  });
  const page = once(async () => docsPage(JSON.parse((await document()).toString()) as OpenApiDocument));

  serve(router, READ_OPENAPI, async (_asked, ctx) => {
    ctx.body = await document();
    ctx.type = "json";
    return TAKEN;
  });

  serve(router, READ_DOCS, async (_asked, ctx) => {
    ctx.body = await page();
    ctx.type = "html";
    ctx.set(HEADERS);
    return TAKEN;
  });
}

/** Calls `make` at the first call. A lack of file descriptors passes, so after a failure the next call tries again. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}
