/** Pictures and documents: uploaded once, named in messages by `file_id`. */
import { z } from "zod";
import { DOCUMENT_TYPES, IMAGE_TYPES } from "../core/file.ts";
import { MAX_FILE_BYTES, MAX_FILES_BYTES } from "../core/limits.ts";
import { EPOCH_MS, NEXT, PAGE } from "./fields.ts";
import { empty, json, media, route } from "./route.ts";

const FILE = z
  .object({
    file_id: z.string(),
    name: z.string(),
    media_type: z.enum([...IMAGE_TYPES, ...DOCUMENT_TYPES]).describe("By its first bytes."),
    bytes: z.int(),
    sha256: z.string(),
    created_at: EPOCH_MS,
  })
  .meta({ id: "File" });

export type FileInfo = Readonly<z.output<typeof FILE>>;

export const POST_FILE = route({
  method: "POST",
  path: "/api/files",
  access: "client",
  summary: "Upload a picture or document",
  description:
    `The bytes as the body (\`application/octet-stream\`, or the file's own type), or one file as \`multipart/form-data\`. At most ${MAX_FILE_BYTES} bytes. ` +
    "The kind is told by its first bytes: PNG, JPEG, GIF, WebP, PDF or UTF-8 text. The same bytes again are the same file.",
  query: z.strictObject({ name: z.string().min(1).max(200).optional().describe("For people; of a raw body.") }),
  takesStream: true,
  answers: { 201: json(FILE, "It is stored.") },
  errors: ["UNSUPPORTED_MEDIA_TYPE", "BODY_TOO_LARGE", "FILES_FULL", "STORAGE_FULL"],
});

const FILE_LIST = z
  .object({
    files: z.array(FILE),
    next: NEXT,
    bytes: z.int().describe("Of all your files, not only of this page."),
    max_bytes: z
      .int()
      .describe(`What they may take: ${MAX_FILES_BYTES}. Beyond it an upload is refused with FILES_FULL.`),
  })
  .meta({ id: "FileList" });

export const LIST_FILES = route({
  method: "GET",
  path: "/api/files",
  access: "viewer",
  summary: "Your files, newest first",
  description:
    "What you uploaded, what came as bytes within your messages, and what tools gave your runs. " +
    "Yours alone, whatever your role: they count towards your `max_bytes`.",
  query: z.strictObject(PAGE),
  answers: { 200: json(FILE_LIST, "A page of files.") },
});

export const READ_FILE = route({
  method: "GET",
  path: "/api/files/{file_id}",
  access: "viewer",
  summary: "The bytes of a file",
  query: z.strictObject({}),
  answers: { 200: media("application/octet-stream", "The bytes, with the file's own type.") },
  errors: ["FILE_NOT_FOUND"],
});

export const DELETE_FILE = route({
  method: "DELETE",
  path: "/api/files/{file_id}",
  access: "client",
  summary: "Delete a file",
  description: "Messages that name it stay; the model is told that the file is gone.",
  query: z.strictObject({}),
  answers: { 204: empty("It is gone.") },
  errors: ["FILE_NOT_FOUND"],
});
