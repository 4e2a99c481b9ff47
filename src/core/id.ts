/** Ids are opaque to everybody: a prefix that names the kind of thing, and 100 random bits. */

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

export type IdPrefix =
  | "machine"
  | "run"
  | "thread"
  | "msg"
  | "req"
  | "group"
  | "boot"
  | "toolu"
  | "file"
  | "upload"
  | "check";

export function newId(prefix: IdPrefix): string {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  let id = `${prefix}_`;
  for (const byte of bytes) id += ALPHABET[byte & 31];
  return id;
}

/** What a client may choose as run_id or thread_id: 1–128 characters, safe in URLs and logs. */
export const CLIENT_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
