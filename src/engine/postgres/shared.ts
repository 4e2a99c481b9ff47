/** Small texts that all processes share, each under a name. */
import type { SharedText } from "../engine.ts";
import type { Queryable } from "./database.ts";

const NEW =
  "INSERT INTO shared (name, text, version) VALUES ($1, $2, 1) ON CONFLICT (name) DO NOTHING RETURNING version";
const NEXT = "UPDATE shared SET text = $2, version = version + 1 WHERE name = $1 AND version = $3 RETURNING version";

export async function readShared(db: Queryable, name: string): Promise<SharedText> {
  const [row] = await db.query<SharedText>("SELECT text, version FROM shared WHERE name = $1", [name]);
  return row ?? { text: null, version: 0 };
}

/** A name without a row has version 0, so only a write with version 0 may make the row. */
export async function writeShared(
  db: Queryable,
  { name, text, version }: { name: string; text: string; version: number },
) {
  const written = version === 0 ? await db.query(NEW, [name, text]) : await db.query(NEXT, [name, text, version]);
  return written.length === 1;
}
