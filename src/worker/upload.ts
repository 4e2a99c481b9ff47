/**
 * Takes the bytes of one file from a request, raw or as multipart/form-data, and writes them to disk as they come: the
 * worker holds only one chunk at a time. Called by `routes/files.ts`.
 */
import { createHash } from "node:crypto";
import { open, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { AppError } from "../core/errors.ts";
import { HEAD_BYTES, mediaTypeOf } from "../core/file.ts";
import { newId } from "../core/id.ts";
import { MAX_FILE_BYTES, MAX_FILE_NAME_CHARACTERS } from "../core/limits.ts";
import type { NewFile } from "../engine/files.ts";
import { DISK_FULL, diskError, onDisk } from "../engine/on-disk.ts";
import type { Context } from "./serve.ts";

export interface UploadOptions {
  readonly folder: string;
  readonly principal: string;
  readonly name: string | undefined;
}

/**
 * @throws AppError BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, STORAGE_FULL, STORAGE_UNAVAILABLE; then nothing
 * is left on the disk
 */
export async function takeUpload(ctx: Context, { folder, principal, name = "file" }: UploadOptions): Promise<NewFile> {
  const { req: request } = ctx;
  if (Number(request.headers["content-length"] ?? 0) > MAX_FILE_BYTES + FORM_BYTES) throw tooLarge();
  if (request.headers.expect !== undefined && !ctx.res.headersSent) ctx.res.writeContinue();
  const isForm = /^multipart\/form-data\b/i.test(request.headers["content-type"] ?? "");
  const { came, ...taken }: Taken = isForm
    ? await takeForm(ctx, folder)
    : { name, path: await takeRaw(request, folder) };
  try {
    const described = await onDisk(describe(taken.path));
    // When its last writes fail, formidable may report the end of the file before it hears of the failure.
    if (came !== undefined && came !== described.bytes) throw new AppError("STORAGE_FULL", DISK_FULL);
    return { ...described, ...taken, file_id: newId("file"), principal, created_at: Date.now() };
  } catch (error) {
    await discard(taken.path);
    throw error;
  }
}

/** The caller throws the error that came first, also when the disk refuses this. */
async function discard(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => {});
}

/** How many bytes multipart/form-data may add around the file. */
const FORM_BYTES = 64 * 1024;

interface Taken {
  readonly name: string;
  readonly path: string;
  /** Bytes that came; undefined when all of them are known to be written. */
  readonly came?: number;
}

async function takeRaw(request: IncomingMessage, folder: string): Promise<string> {
  const path = join(folder, newId("upload"));
  try {
    await using file = await onDisk(open(path, "wx", 0o600));
    let bytes = 0;
    // A refused request stays open: its connection ends after the answer (`refused-body.ts`).
    const chunks: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > MAX_FILE_BYTES) throw tooLarge();
      await onDisk(file.appendFile(chunk));
    }
    return path;
  } catch (error) {
    await discard(path);
    if (error instanceof AppError) throw error;
    throw request.complete
      ? error
      : new AppError("INVALID_REQUEST", "The body ended before all of it came.", { cause: error });
  }
}

/** The parser is loaded with the first form, because few servers ever get one. */
async function takeForm(ctx: Context, folder: string): Promise<Taken> {
  const { koaBody } = await import("koa-body");
  // When the parser refuses a later part, it leaves behind the files that it has written.
  const begun: string[] = [];
  const parse = koaBody({
    json: false,
    urlencoded: false,
    text: false,
    multipart: true,
    formidable: {
      uploadDir: folder,
      maxFiles: 1,
      maxFileSize: MAX_FILE_BYTES,
      maxFieldsSize: FORM_BYTES,
      maxFields: 10,
      onFileBegin: (_name, file) => void begun.push(file.filepath),
    },
    onError: (error) => {
      throw ofForm(error);
    },
  });
  try {
    await parse(ctx, async () => {});
  } catch (error) {
    for (const path of begun) await discard(path);
    throw error;
  }
  const [file] = Object.values(ctx.request.files ?? {}).flat();
  if (!file) throw new AppError("INVALID_REQUEST", "Expected the form to have one file.");
  const name = (file.originalFilename ?? "file").slice(0, MAX_FILE_NAME_CHARACTERS);
  return { name, path: file.filepath, came: file.size };
}

/** formidable's code for a form with more than one file. formidable gives it the status 413, too. */
const MORE_THAN_ONE_FILE = 1015;

function ofForm(error: Error & { readonly httpCode?: number; readonly code?: unknown }): AppError {
  const ofDisk = diskError(error);
  if (ofDisk instanceof AppError) return ofDisk;
  if (error.httpCode === 413 && error.code !== MORE_THAN_ONE_FILE) return tooLarge();
  return new AppError("INVALID_REQUEST", `Expected a form with one file (${error.message}).`, { cause: error });
}

const READ_BYTES = 64 * 1024;

/** Type, size and digest of the bytes on the disk, read into one buffer: a stream would leave the whole file as garbage. */
async function describe(path: string) {
  await using file = await open(path);
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const read = async (from: number) => (await file.read(buffer, 0, READ_BYTES, from)).bytesRead;
  const head = await read(0);
  const mediaType = mediaTypeOf(buffer.subarray(0, Math.min(head, HEAD_BYTES)));
  if (!mediaType)
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Expected a PNG, JPEG, GIF or WebP picture, a PDF, or text in UTF-8.");
  const digest = createHash("sha256");
  let bytes = 0;
  for (let part = head; part > 0; part = await read(bytes)) {
    digest.update(buffer.subarray(0, part));
    bytes += part;
  }
  return { media_type: mediaType, bytes, sha256: digest.digest("hex") };
}

function tooLarge(): AppError {
  return new AppError("BODY_TOO_LARGE", `Expected a file of at most ${MAX_FILE_BYTES} bytes.`);
}
