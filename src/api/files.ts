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
    media_type: z.enum([...IMAGE_TYPES, ...DOCUMENT_TYPES]).describe("The type, read from the first bytes."),
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
    `Send the bytes as the body (\`application/octet-stream\` or the file's own type), or one file as \`multipart/form-data\`. At most ${MAX_FILE_BYTES} bytes. ` +
    "The first bytes decide the type: PNG, JPEG, GIF, WebP, PDF or UTF-8 text. Uploading the same bytes again returns the same file.",
  query: z.strictObject({
    name: z.string().min(1).max(200).optional().describe("A name for people. Only for a raw body."),
  }),
  takesStream: true,
  answers: { 201: json(FILE, "The file is stored.") },
  errors: ["UNSUPPORTED_MEDIA_TYPE", "BODY_TOO_LARGE", "TOO_MANY_REQUESTS", "OVERLOADED", "FILES_FULL", "STORAGE_FULL"],
});

const FILE_LIST = z
  .object({
    files: z.array(FILE),
    next: NEXT,
    bytes: z.int().describe("The size of all your files, not only of this page."),
    max_bytes: z
      .int()
      .describe(`The limit for all your files: ${MAX_FILES_BYTES}. An upload beyond it is refused with FILES_FULL.`),
  })
  .meta({ id: "FileList" });

export const LIST_FILES = route({
  method: "GET",
  path: "/api/files",
  access: "viewer",
  summary: "Your files, newest first",
  description:
    "The files that you uploaded, that your messages carried as bytes, and that tools returned to your runs. " +
    "Every role sees only its own files. They count towards `max_bytes`. " +
    "Where the operator has set RETAIN_FILES, a file that no thread names goes by itself after that time.",
  query: z.strictObject(PAGE),
  answers: { 200: json(FILE_LIST, "A page of files.") },
});

export const READ_FILE = route({
  method: "GET",
  path: "/api/files/{file_id}",
  access: "viewer",
  summary: "Download a file",
  query: z.strictObject({}),
  answers: { 200: media("application/octet-stream", "The bytes, with the type of the file.") },
  errors: ["FILE_NOT_FOUND"],
});

export const DELETE_FILE = route({
  method: "DELETE",
  path: "/api/files/{file_id}",
  access: "client",
  summary: "Delete a file",
  description:
    "Messages that name the file stay: reading it there answers FILE_NOT_FOUND, and the model is told that it was deleted.",
  query: z.strictObject({}),
  answers: { 204: empty("The file is deleted.") },
  errors: ["FILE_NOT_FOUND"],
});
