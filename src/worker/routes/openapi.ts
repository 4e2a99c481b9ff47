/** `GET /openapi.json`: the contract as it lies in docs/, read at the first request. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { READ_OPENAPI } from "../../api/page.ts";
import { ROOT } from "../../tree.ts";
import type { AppRouter } from "../context.ts";
import { serve, TAKEN } from "../serve.ts";

const FILE = join(ROOT, "docs/openapi.json");

export function openApiRoutes(router: AppRouter): void {
  let document: Promise<Buffer> | undefined;
  serve(router, READ_OPENAPI, async (_asked, ctx) => {
    // A lack of file descriptors passes: the next request tries again.
    document ??= readFile(FILE).catch((error: unknown) => {
      document = undefined;
      throw error;
    });
    ctx.body = await document;
    ctx.type = "json";
    return TAKEN;
  });
}
