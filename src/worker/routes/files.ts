/** Files of users: list, upload, read, delete. */
import { DELETE_FILE, LIST_FILES, POST_FILE, READ_FILE } from "../../api/files.ts";
import { AppError } from "../../core/errors.ts";
import { fileNotFound, type StoredFile } from "../../core/file.ts";
import { MAX_FILES_BYTES } from "../../core/limits.ts";
import type { Files } from "../../engine/files.ts";
import type { Delivery } from "../../stream/delivery.ts";
import type { AppRouter } from "../context.ts";
import { answer, serve, TAKEN, type Context } from "../serve.ts";
import { takeUpload } from "../upload.ts";
import { Uploads } from "../uploads.ts";

/** About what a socket takes before it is full. */
const RANGE_BYTES = 256 * 1024;

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

  serve(router, READ_FILE, async ({ params }, ctx, { engine, delivery }) => {
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
    if (ctx.method !== "HEAD") await sendFile(ctx, delivery, { file, files: engine.files });
    return TAKEN;
  });

  serve(router, DELETE_FILE, async ({ params }, _ctx, { engine }) => {
    if (!(await engine.files.remove(params.file_id))) throw fileNotFound(params.file_id);
    return answer(204, undefined);
  });
}

interface SentFile {
  readonly file: StoredFile;
  readonly files: Pick<Files, "readRange">;
}

/** The next range is read when the client has taken the one before: many clients that read slowly must not cost 32 MiB each. */
async function sendFile(ctx: Context, delivery: Delivery, { file, files }: SentFile): Promise<void> {
  ctx.respond = false;
  // No `close` would come to free what is made below.
  if (ctx.res.destroyed) return;
  const reply = delivery.openReply(ctx.res);
  const send = async (from: number) => {
    const bytes = Math.min(RANGE_BYTES, file.bytes - from);
    const range = await files.readRange(file.file_id, { from, bytes });
    if (range.length < bytes) throw new AppError("INTERNAL", `File ${file.file_id} lacks bytes from ${from} on.`);
    return reply.write(range);
  };
  for (let from = 0; from < file.bytes; from += RANGE_BYTES) if (!(await send(from))) return;
  reply.end();
}

function show({ file_id, name, media_type, bytes, sha256, created_at }: StoredFile) {
  return { file_id, name, media_type, bytes, sha256, created_at };
}
