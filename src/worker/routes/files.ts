/** Files of users: list, upload, read, delete. */
import { DELETE_FILE, LIST_FILES, POST_FILE, READ_FILE } from "../../api/files.ts";
import { fileNotFound, type StoredFile } from "../../core/file.ts";
import { MAX_FILES_BYTES } from "../../core/limits.ts";
import type { AppRouter } from "../context.ts";
import { answer, serve, TAKEN } from "../serve.ts";
import { takeUpload } from "../upload.ts";
import { Uploads } from "../uploads.ts";

export function fileRoutes(router: AppRouter): void {
  serve(router, LIST_FILES, async ({ query: { limit, before } }, ctx, { engine }) => {
    // Also for a principal that sees everything: only its own files count towards its limit.
    const filter = { principal: ctx.state.principal.id, limit, ...(before !== undefined && { before }) };
    const { items, next, bytes } = await engine.files.list(filter);
    return answer(200, { files: items.map(show), next, bytes, max_bytes: MAX_FILES_BYTES });
  });

  const uploads = new Uploads();
  serve(router, POST_FILE, async ({ query }, ctx, { engine, settings }) => {
    uploads.enter(ctx.state.principal, ctx.res);
    const { files } = engine;
    const options = { folder: await files.incoming(), principal: ctx.state.principal.id, name: query.name };
    const file = await files.save(await takeUpload(ctx, options));
    return answer(201, show(file), { Location: `${settings.basePath}/api/files/${file.file_id}` });
  });

  serve(router, READ_FILE, async ({ params }, ctx, { engine }) => {
    const file = await engine.files.find(params.file_id);
    if (!file) throw fileNotFound(params.file_id);
    // `attachment` sets a type from the name, so set ours after it.
    ctx.attachment(file.name, { type: "inline" });
    ctx.type = file.media_type;
    // A user's document must not run as a page of ours, whatever type a browser takes it for.
    ctx.set({
      "Content-Security-Policy": "sandbox; default-src 'none'",
      "Cache-Control": "private, max-age=31536000, immutable",
    });
    ctx.status = 200;
    ctx.length = file.bytes;
    if (ctx.method !== "HEAD") ctx.body = await engine.files.read(params.file_id);
    return TAKEN;
  });

  serve(router, DELETE_FILE, async ({ params }, _ctx, { engine }) => {
    if (!(await engine.files.remove(params.file_id))) throw fileNotFound(params.file_id);
    return answer(204, undefined);
  });
}

function show({ file_id, name, media_type, bytes, sha256, created_at }: StoredFile) {
  return { file_id, name, media_type, bytes, sha256, created_at };
}
